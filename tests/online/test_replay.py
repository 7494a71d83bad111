"""A replay counts what a lookup returns, user by user."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import ConfigError, InputDataError
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.evaluate.settings import settings_of
from llm_i2i_spark.lake.tables import contract_schema
from llm_i2i_spark.online.replay import Replay, replay_lookups
from llm_i2i_spark.serving.lookup import Lookup
from tests.serving.indexes import Lists, random_lists, table_rows, write_lake

pytestmark = pytest.mark.spark
SYSTEMS = [("real", "swing"), ("llm_i2i", "swing")]
SIZE = 30
SETTINGS = settings_of(load_config([], ["index.recent_items=5"]))


@pytest.fixture(scope="module")
def lists() -> dict[str, Lists]:
    """Those of llm_i2i are of more items."""
    full = random_lists(80, SIZE, seed=11)
    return {"real": dict(list(full.items())[::2]), "llm_i2i": full}


@pytest.fixture(scope="module")
def histories(lists: dict[str, Lists]) -> dict[str, list[str]]:
    """Items by user, oldest first, the last one held out; some are in no list."""
    draw = random.Random(7)
    items = [*lists["llm_i2i"], "unknown", "never seen"]
    users = {f"u{number}": draw.sample(items, draw.randint(2, 12)) for number in range(80)}
    return {**users, "stranger": ["unknown", "never seen"]}


@pytest.fixture(scope="module")
def index(spark: SparkSession, lists: dict[str, Lists]) -> DataFrame:
    rows = [
        (
            row["variant"],
            row["backbone"],
            row["item_id"],
            [tuple(one.values()) for one in row["neighbors"]],
        )
        for variant in lists
        for row in table_rows(lists[variant], variant)
    ]
    schema = contract_schema(TABLES["item_index"])
    return spark.createDataFrame(rows, schema)


@pytest.fixture(scope="module")
def interactions(spark: SparkSession, histories: dict[str, list[str]]) -> DataFrame:
    rows = [
        (user, item, position, fold, event)
        for number, (user, items) in enumerate(histories.items())
        for position, item in enumerate(items)
        for fold in ["test" if position == len(items) - 1 else "train"]
        for event in ["purchase" if fold == "test" and number % 2 else "click"]
    ]
    return spark.createDataFrame(
        rows, "user_id string, item_id string, position int, fold string, event string"
    )


@pytest.fixture(scope="module")
def looked_up(
    lists: dict[str, Lists], histories: dict[str, list[str]], tmp_path_factory: Any
) -> dict[str, np.ndarray]:
    """By variant, for each user: items returned, whether any, whether the held-out one."""
    found = {}
    for variant, rows in lists.items():
        lake = write_lake(tmp_path_factory.mktemp(variant), table_rows(rows, variant))
        lookup = Lookup.open(lake, recent_items=5, decay=SETTINGS.decay)
        returned = [
            ([one["item_id"] for one in lookup.recommend(items[:-1], 5 * SIZE)], items[-1])
            for items in histories.values()
        ]
        found[variant] = np.array(
            [(len(items), len(items) > 0, target in items) for items, target in returned], float
        )
    return found


@pytest.fixture(scope="module")
def replay(index: DataFrame, interactions: DataFrame) -> Replay:
    return replay_lookups(index, interactions, SYSTEMS, SETTINGS, SIZE)


def test_the_measures_are_means_of_what_a_lookup_returns(
    replay: Replay, looked_up: dict[str, np.ndarray]
) -> None:
    for variant, counted in looked_up.items():
        for measure, mean in zip(("rn", "l2p", "l2p_item"), counted.mean(axis=0), strict=True):
            assert replay[variant, measure].value.value == pytest.approx(mean)
    assert 0 < replay["real", "l2p_item"].value.value < replay["llm_i2i", "l2p"].value.value < 1
    assert replay.users == 81


def test_differences_are_paired_by_user(replay: Replay, looked_up: dict[str, np.ndarray]) -> None:
    real, mended = (looked_up[variant][:, 0] for variant in ("real", "llm_i2i"))
    difference = replay["llm_i2i", "rn"].difference
    assert difference is not None
    assert difference.value == pytest.approx(mended.mean() / real.mean() - 1)
    residual = mended / mended.mean() - real / real.mean()
    half = 1.959964 * residual.std(ddof=1) / np.sqrt(len(residual))
    low, high = (np.log1p(bound) for bound in difference.interval or ())
    assert high - low == pytest.approx(2 * half, rel=1e-5)
    assert replay["real", "rn"].difference is None


def test_a_shorter_list_is_cut_at_k(
    index: DataFrame, interactions: DataFrame, looked_up: dict[str, np.ndarray]
) -> None:
    cut = replay_lookups(index, interactions, SYSTEMS[:1], SETTINGS, SIZE, k=3)
    wanted = np.minimum(looked_up["real"][:, 0], 3).mean()
    assert cut["rn"].value.value == pytest.approx(wanted)
    assert cut["l2p"].value.value == pytest.approx(looked_up["real"][:, 1].mean())


def test_only_some_events_can_be_purchases(
    index: DataFrame, interactions: DataFrame, looked_up: dict[str, np.ndarray]
) -> None:
    bought = replay_lookups(index, interactions, SYSTEMS, SETTINGS, SIZE, events=["purchase"])
    assert bought.users == 40
    for place, measure in enumerate(("rn", "l2p", "l2p_item")):
        mean = looked_up["real"][1::2, place].mean()
        assert bought["real", measure].value.value == pytest.approx(mean)
    with pytest.raises(InputDataError, match="event of gift in fold test"):
        replay_lookups(index, interactions, SYSTEMS, SETTINGS, SIZE, events=["gift"])


def test_the_baseline_is_asked_for_or_real(
    replay: Replay, index: DataFrame, interactions: DataFrame
) -> None:
    assert replay.baseline == "real"
    turned = replay_lookups(
        index, interactions, SYSTEMS, SETTINGS, SIZE, baseline=("llm_i2i", "swing")
    )
    assert turned.baseline == "llm_i2i"
    assert turned["llm_i2i", "rn"].difference is None
    with pytest.raises(ConfigError, match="baseline best on swing is not among"):
        replay_lookups(index, interactions, SYSTEMS, SETTINGS, SIZE, baseline=("best", "swing"))


def test_a_person_and_a_program_read_the_same(replay: Replay) -> None:
    shown, values = str(replay), replay.to_dict()
    assert "81 users with a held-out interaction, lookups of at most 150 items" in shown
    assert f"{values['systems']['real']['rn']['value']:,.2f}" in shown
    assert len(replay.to_pandas()) == 6
    assert "RN" in replay._repr_html_()
    with pytest.raises(ConfigError, match="no ctr of real"):
        replay["ctr"]
