"""Hard negatives: drawn at random from the best of the generator, the same on any rank."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pytest

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lm.checkpoint import load_checkpoint
from llm_i2i_spark.lm.decoding import propose
from llm_i2i_spark.prompts import templates
from llm_i2i_spark.sft.catalogue import Catalogue
from llm_i2i_spark.sft.examples import labelled_candidates
from llm_i2i_spark.sft.hard_negatives import draw, with_hard_negatives
from llm_i2i_spark.sft.known_items import KnownItems
from llm_i2i_spark.training_job.events import Reporter

pytestmark = pytest.mark.lm


def test_every_item_of_the_pool_is_drawn_as_often_as_any_other():
    drawn = Counter(item for user in range(3000) for item in draw("abcdef", 2, f"1|u{user}|4"))
    assert drawn.keys() == set("abcdef")
    # 1,000 each, with a standard deviation of 26.
    assert max(abs(number - 1000) for number in drawn.values()) < 100


def test_nothing_is_drawn_twice_and_a_small_pool_is_drawn_whole():
    for user in range(50):
        assert sorted(draw("abc", 5, f"1|u{user}|4")) == ["a", "b", "c"]
    assert draw("", 2, "key") == draw("abc", 0, "key") == []
    assert draw("abcdef", 3, "key")[:2] == draw("abcdef", 2, "key")
    assert len({tuple(draw("abcdef", 3, f"1|u|{position}")) for position in range(20)}) > 10


def batches(lake: DeltaRsLake, table: str) -> Iterator[pa.RecordBatch]:
    contract = TABLES[table]
    names = [name for name in contract.names if name not in (*contract.scope, "weight")]
    return lake.batches(table, 0, names)


@pytest.fixture(scope="module")
def mined(finished_lake, one_rank):
    """Mines the tiny lake's examples; `order` sorts the groups first."""
    root, _ = finished_lake
    config = load_config([root / "config.yaml"])
    lake = DeltaRsLake(config.lake)
    (folder,) = (root / "checkpoints_files").glob("generator-*")
    generator = load_checkpoint(folder, templates.GENERATOR, "cpu")
    catalogue = Catalogue.of_table(lake.read("items", 0, ["item_id", "text"]))
    plain = labelled_candidates(batches(lake, "sft_discriminator"), catalogue)
    known = KnownItems(batches(lake, "sft_generator"), catalogue, plain.user_ids)

    def mine(pool_size: int, share: float, seed: int = 1, order=slice(None), new=frozenset()):
        found = with_hard_negatives(
            plain[order],
            generator,
            known,
            new,
            pool_size,
            share,
            seed,
            one_rank,
            Reporter(lambda event: None),
        )
        return {(group.user_id, group.position): group for group in found}

    return mine, plain, generator, known


def test_a_share_of_the_negatives_comes_from_the_pool_and_the_others_stay(mined):
    mine, plain, generator, known = mined
    hard = mine(6, 0.5)
    for group in plain:
        found = hard[group.user_id, group.position]
        assert found.labels == group.labels
        excluded = known[group.user_id] | {
            item.item_id for item in (*group.history, *group.candidates)
        }
        (pool,) = propose(generator, [group.history], [excluded], 6, 4096)
        number = group.labels.count(False) // 2
        replaced = found.candidates[1 : 1 + number]
        assert {item.item_id for item in replaced} <= {proposal.item_id for proposal in pool}
        kept = [(a, b) for a, b in zip(found.candidates, group.candidates, strict=True) if a == b]
        assert len(kept) == len(group.candidates) - number


def test_items_that_nobody_could_click_are_no_negatives(mined):
    mine, plain, *_ = mined
    first = {item.item_id for group in mine(6, 0.5).values() for item in group.candidates[1:]}
    new = set(sorted(first)[::2])
    drawn = {
        item.item_id
        for (user, position), group in mine(6, 0.5, new=new).items()
        for old in plain
        if (old.user_id, old.position) == (user, position)
        for item in group.candidates
        if item not in old.candidates
    }
    assert drawn
    assert not drawn & new


def test_a_larger_pool_reaches_further_down(mined):
    mine, plain, generator, known = mined

    def ranks_of_first(pool_size: int) -> set[int]:
        found = mine(pool_size, 0.5)
        ranks = set()
        for group in plain:
            shown = {item.item_id for item in (*group.history, *group.candidates)}
            excluded = known[group.user_id] | shown
            (best,) = propose(generator, [group.history], [excluded], pool_size, 4096)
            drawn = found[group.user_id, group.position].candidates[1].item_id
            ranks.add([proposal.item_id for proposal in best].index(drawn) + 1)
        return ranks

    assert ranks_of_first(1) == {1}
    assert max(ranks_of_first(12)) > 6
    assert mine(1, 0.0) == {(group.user_id, group.position): group for group in plain}


def test_draws_depend_on_user_and_position_alone(mined):
    mine, _, _, _ = mined
    assert mine(12, 1.0) == mine(12, 1.0, order=slice(None, None, -1))
    few = mine(12, 1.0, order=slice(7, 20))
    assert few == {key: group for key, group in mine(12, 1.0).items() if key in few}
    assert mine(12, 1.0) != mine(12, 1.0, seed=2)
