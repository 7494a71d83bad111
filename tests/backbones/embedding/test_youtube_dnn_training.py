"""The training of youtube_dnn: what it minimises, what it learns, that no bit of it varies."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from pydantic import ValidationError

from llm_i2i_spark.backbones import YoutubeDnn
from llm_i2i_spark.backbones.embedding.interaction_matrix import interaction_matrix
from llm_i2i_spark.backbones.embedding.item_embeddings import ItemEmbeddings
from llm_i2i_spark.backbones.embedding.row_optimizers import FIRST_SQUARE
from llm_i2i_spark.backbones.embedding.youtube_dnn_training import (
    YoutubeDnnTraining,
    sampled_softmax,
    user_vectors,
)
from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.kernels.negative_sampling import NegativeSampler
from tests.backbones.embedding.made_up_log import (
    CLICKS,
    as_table,
    bridges,
    group_of,
    made_up_log,
    purity,
)

pytestmark = pytest.mark.lm
SMALL = {"dims": 16, "hidden": (16,), "epochs": 20, "batch_size": 64, "sample_size": 64}


def learn(rows: pa.Table, seed: int = 1, **parameters: object) -> ItemEmbeddings:
    backbone = YoutubeDnn(**{**SMALL, **parameters})
    return backbone.learn(interaction_matrix(rows), seed, lambda done, total, note: None)


def with_positions(rows: list[tuple[str, str, float, int | None]]) -> pa.Table:
    users, items, weights, positions = map(list, zip(*rows, strict=True))
    table = as_table(list(zip(users, items, strict=True)), weights)
    return table.append_column("position", pa.array(positions, pa.int32()))


def test_with_every_item_drawn_once_the_loss_is_that_of_the_whole_softmax():
    torch.manual_seed(1)
    users, items = torch.randn(5, 4, dtype=torch.float64), torch.randn(7, 4, dtype=torch.float64)
    targets, weights = torch.tensor([6, 0, 3, 3, 1]), torch.rand(5, dtype=torch.float64)
    found, *_ = sampled_softmax(
        users,
        items[targets],
        items,
        torch.zeros(7, dtype=torch.float64),
        targets.unsqueeze(1) == torch.arange(7),
        weights,
    )
    wanted = 0.0
    for user, target, weight in zip(
        users.tolist(), targets.tolist(), weights.tolist(), strict=True
    ):
        scores = [sum(a * b for a, b in zip(user, item, strict=True)) for item in items.tolist()]
        probability = math.exp(scores[target]) / sum(map(math.exp, scores))
        wanted -= weight * math.log(probability)
    assert float(found) == pytest.approx(wanted)


@pytest.mark.parametrize("by_popularity", [False, True])
def test_the_sum_over_a_sample_is_on_average_the_sum_over_all_items(by_popularity):
    random = np.random.default_rng(2)
    items = np.repeat(np.arange(6), [1, 2, 3, 4, 5, 15])
    sampler = NegativeSampler(np.arange(30), items, 6, by_popularity)
    vectors = torch.from_numpy(random.standard_normal((6, 3)))
    user, target = torch.from_numpy(random.standard_normal((1, 3))), 5
    drawn = sampler.draw_any(200_000, random)
    expected = len(drawn) * sampler.probabilities(drawn)
    loss, *_ = sampled_softmax(
        user,
        vectors[[target]],
        vectors[drawn],
        torch.from_numpy(np.log(expected)),
        torch.from_numpy(drawn == target).unsqueeze(0),
        torch.ones(1, dtype=torch.float64),
    )
    scores = (user @ vectors.T)[0]
    assert float(loss) == pytest.approx(float(scores.logsumexp(0) - scores[target]), abs=0.01)


def test_the_gradients_are_those_that_torch_derives():
    torch.manual_seed(4)
    users, items, negatives = (
        torch.randn(rows, 5, dtype=torch.float64, requires_grad=True) for rows in (6, 6, 9)
    )
    log_expected, weights = torch.randn(9, dtype=torch.float64), torch.rand(6, dtype=torch.float64)
    is_target = torch.rand(6, 9) < 0.2
    is_target[2] = True  # a sample of nothing else
    own = (users * items).sum(1, keepdim=True)
    others = (users @ negatives.T - log_expected).masked_fill(is_target, -math.inf)
    whole = torch.cat((own, others), dim=1).logsumexp(1)
    wanted = (weights * (whole - own.squeeze(1))).sum()
    wanted.backward()
    parts = [part.detach() for part in (users, items, negatives)]
    loss, *gradients = sampled_softmax(*parts, log_expected, is_target, weights)
    torch.testing.assert_close(loss, wanted.detach())
    for gradient, part in zip(gradients, (users, items, negatives), strict=True):
        torch.testing.assert_close(gradient, part.grad)


def test_one_step_is_adagrads_on_the_gradient_of_the_plain_definition():
    rows = [("u", "a", 0.5, 0), ("u", "b", 1.0, 1), ("u", "c", 0.25, 2), ("v", "c", 1.0, 0)]
    rows += [("v", "a", 0.7, None)]
    matrix = interaction_matrix(with_positions(rows))
    backbone = YoutubeDnn(dims=3, hidden=(4,), epochs=1, sample_size=5, learning_rate=0.2)
    training = YoutubeDnnTraining(backbone, matrix, 3, lambda done, total, note: None)
    table = training.items.clone().requires_grad_()
    layers = [layer.clone().requires_grad_() for layer in training.layers]
    random = np.random.default_rng(3)  # as the training draws: vectors, layers, order, sample
    for shape in ((3, 3), (4, 3), (3, 4)):
        random.standard_normal(shape, dtype=np.float32)
    random.permutation(3)
    drawn = random.integers(0, 3, 5)
    a, b, c = table
    histories = {1: (a, 1.0), 2: ((0.5 * a + 1.0 * b) / 1.5, 0.25), 0: (c, 0.7)}
    loss = torch.zeros(())
    for target, (mean, weight) in histories.items():
        hidden = torch.relu(layers[0][:, :3] @ mean + layers[0][:, 3])
        user = layers[1][:, :4] @ hidden + layers[1][:, 4]
        others = [(user @ table[j]).exp() / (5 / 3) for j in drawn.tolist() if j != target]
        own = user @ table[target]
        loss = loss + weight * ((own.exp() + sum(others)).log() - own)
    loss.backward()
    before = [layer.detach().clone() for layer in layers]
    learned = training.run()
    assert learned.losses == (pytest.approx(float(loss.detach()) / 1.95, rel=1e-5),)
    for layer, first, gradient in zip(
        training.layers, before, [layer.grad for layer in layers], strict=True
    ):
        squares = FIRST_SQUARE + gradient.square().mean(1, keepdim=True)
        torch.testing.assert_close(layer, first - 0.01 * gradient / squares.sqrt())
    # An item's squares are those of its parts, so its direction is what can be compared.
    moved = training.items - table.detach()
    cosines = torch.cosine_similarity(moved, -table.grad)
    torch.testing.assert_close(cosines, torch.ones(3), atol=1e-4, rtol=0)


def test_the_network_is_relu_layers_and_a_linear_one():
    layers = [torch.tensor([[2.0, 0.0, 1.0], [-1.0, 0.0, 0.0]]), torch.tensor([[1.0, 5.0, -9.0]])]
    found = user_vectors(torch.tensor([[1.0, 7.0], [-1.0, 7.0]]), layers)
    assert found.tolist() == [[3.0 - 9.0], [5.0 - 9.0]]
    with pytest.raises(ValidationError):
        YoutubeDnn(hidden=(8, 0))


@pytest.mark.parametrize("parameters", [{}, {"negatives": "popularity"}, {"hidden": ()}])
def test_items_of_a_group_become_neighbours(parameters):
    learned = learn(made_up_log(), **parameters)
    assert learned.vectors.shape == (80, 16)
    assert learned.losses[-1] < learned.losses[0] - 1.0
    assert learned.losses[-1] > math.log(5)  # no better than to know all but what is left
    assert purity(learn(made_up_log(), epochs=1, learning_rate=1e-6)) < 0.3
    assert purity(learned) > 0.9


def test_equal_rows_and_seed_give_equal_bits_in_any_order():
    log = made_up_log()
    first = learn(log)
    torch.rand(3)  # random numbers that others draw do not matter
    order = np.random.default_rng(2).permutation(log.num_rows)
    second = learn(pa.concat_tables([log.take(order[:100]), log.take(order[100:])]))
    assert second.item_ids.equals(first.item_ids)
    assert np.array_equal(second.vectors, first.vectors)
    assert (second.losses, second.digest) == (first.losses, first.digest)
    assert learn(log, seed=2).digest != first.digest
    assert not torch.are_deterministic_algorithms_enabled()


def test_rows_of_nearly_no_weight_change_little_and_full_ones_bring_groups_together():
    def nearness(weight: float) -> float:
        """Mean cosine of items of bridged groups, less that of other items of two groups."""
        rows, found = pa.concat_tables([made_up_log(), bridges(weight)]), []
        for seed in (1, 2, 3):
            learned = learn(rows, seed=seed)
            unit = learned.vectors / np.linalg.norm(learned.vectors, axis=1, keepdims=True)
            group = np.array([group_of(item) for item in learned.item_ids.to_pylist()])
            apart = group[:, None] != group
            bridged = apart & (group[:, None] // 2 == group // 2)
            cosines = unit @ unit.T
            found.append(cosines[bridged].mean() - cosines[apart & ~bridged].mean())
        return float(np.mean(found))

    assert nearness(1.0) > 0.4
    assert nearness(1e-6) < 0.2  # without them groups lie anyhow, .4 about 0 with one seed


def test_the_last_click_is_found_far_more_often_than_by_popularity():
    log = made_up_log(5)
    is_last = pc.equal(log["position"], CLICKS - 1)
    rest, last = log.filter(pc.invert(is_last)), log.filter(is_last)
    learned = learn(rest)
    number = {item: n for n, item in enumerate(learned.item_ids.to_pylist())}
    unit = learned.vectors / np.linalg.norm(learned.vectors, axis=1, keepdims=True)
    near = np.maximum(unit @ unit.T, 0.0)
    popular = np.bincount([number[item] for item in rest["item_id"].to_pylist()])
    found = {"cosines": 0, "popularity": 0}
    for user, item in zip(last["user_id"].to_pylist(), last["item_id"].to_pylist(), strict=True):
        own = rest.filter(pc.equal(rest["user_id"], user))["item_id"].to_pylist()
        had = [number[one] for one in own]
        for name, scores in (("cosines", near[had].sum(0)), ("popularity", popular.astype(float))):
            scores[had] = -1.0
            found[name] += number[item] in np.argsort(-scores, kind="stable")[:5]
    share = {name: count / len(last) for name, count in found.items()}
    assert share["cosines"] > share["popularity"] + 0.5  # at best 5 of the 6 that are left


def test_a_synthetic_row_draws_its_item_to_what_the_user_has_by_its_weight():
    log = made_up_log()
    proposed = [(f"u{n:03d}", "new", None) for n in range(10)]  # users of group 0

    def nearness(weight: float) -> float:
        """Mean cosine of the proposed item to the items of group 0, less that to the others."""
        rows = with_positions([(user, item, weight, place) for user, item, place in proposed])
        learned = learn(pa.concat_tables([log, rows]))
        unit = learned.vectors / np.linalg.norm(learned.vectors, axis=1, keepdims=True)
        new = learned.item_ids.to_pylist().index("new")
        cosines = np.delete(unit @ unit[new], new)
        return float(cosines[:10].mean() - cosines[10:].mean())

    assert nearness(1.0) > 0.3
    assert nearness(1e-9) < 0.15


def test_who_has_one_click_or_none_with_a_position_teaches_nothing():
    rows = [("one", "a", 1.0, 0), ("none", "b", 1.0, None), ("none", "c", 1.0, None)]
    learned = learn(with_positions(rows))
    assert (learned.vectors.shape, learned.losses) == ((0, 16), ())
    learned = learn(with_positions([*rows, ("one", "d", 1.0, None)]))
    assert learned.item_ids.to_pylist() == ["a", "d"]
    assert learn(with_positions(rows).slice(0, 0)).to_arrow().num_rows == 0


def test_progress_ends_with_all_examples_of_all_epochs():
    calls: list[tuple[int, int, str]] = []
    matrix = interaction_matrix(made_up_log())
    YoutubeDnn(**SMALL).learn(matrix, 1, lambda *arguments: calls.append(arguments))
    assert calls[-1][:2] == (20 * 960, 20 * 960)
    assert calls[-1][2].startswith("epoch 20, loss ")


def test_a_loss_that_is_no_number_ends_the_training():
    with pytest.raises(StageError, match=r"in epoch \d+; set a lower i2i.youtube_dnn.learning_ra"):
        learn(made_up_log(), learning_rate=1e30)
