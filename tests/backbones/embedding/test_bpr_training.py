"""The training of bpr: what it minimises, what it learns, that it is the same to the bit."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch

from llm_i2i_spark.backbones import Bpr
from llm_i2i_spark.backbones.embedding.bpr_training import bpr_gradients
from llm_i2i_spark.backbones.embedding.interaction_matrix import interaction_matrix
from llm_i2i_spark.backbones.embedding.item_embeddings import ItemEmbeddings
from llm_i2i_spark.backbones.embedding.row_optimizers import (
    FIRST_SQUARE,
    RowAdagrad,
    RowGradients,
    RowOptimizer,
    RowSgd,
)
from llm_i2i_spark.base.errors import StageError
from tests.backbones.embedding.made_up_log import as_table, bridges, made_up_log, purity

pytestmark = pytest.mark.lm
SMALL = {"factors": 16, "epochs": 20, "batch_size": 64}


def learn(rows: pa.Table, seed: int = 1, **parameters: object) -> ItemEmbeddings:
    backbone = Bpr(**{**SMALL, **parameters})
    return backbone.learn(interaction_matrix(rows), seed, lambda done, total, note: None)


def test_gradients_are_those_that_torch_derives_from_the_loss_of_the_definition():
    torch.manual_seed(1)
    x, y, z = (torch.randn(7, 5, dtype=torch.float64, requires_grad=True) for _ in range(3))
    weights = torch.rand(7, dtype=torch.float64)
    likelihood = -(weights * torch.log(torch.sigmoid((x * (y - z)).sum(1)))).sum()
    lengths = (weights * sum(one.square().sum(1) for one in (x, y, z))).sum()
    (likelihood + 0.3 / 2 * lengths).backward()
    loss, *gradients = bpr_gradients(x.detach(), y.detach(), z.detach(), weights, 0.3)
    assert loss == pytest.approx(float(likelihood.detach()))
    for found, wanted in zip(gradients, (x.grad, y.grad, z.grad), strict=True):
        torch.testing.assert_close(found, wanted)


def test_an_interaction_of_no_weight_has_no_gradient():
    rows = torch.randn(3, 4)
    _, *gradients = bpr_gradients(rows, rows + 1, rows - 1, torch.tensor([1.0, 0.0, 1.0]), 0.1)
    for gradient in gradients:
        assert gradient[1].eq(0).all()
        assert gradient[0].ne(0).all()


def test_optimizers_add_up_repeated_rows_and_leave_the_others():
    gradients = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, -6.0]])
    rows = torch.tensor([2, 0, 2])
    plain, scaled = torch.zeros(3, 2), torch.zeros(3, 2)
    RowSgd(plain, 0.5).step(RowGradients(rows, gradients))
    assert plain.tolist() == [[-1.5, -2.0], [0.0, 0.0], [-3.0, 2.0]]
    optimizer = RowAdagrad(scaled, 0.5)
    optimizer.step(RowGradients(rows, gradients))
    optimizer.step(RowGradients(rows[:1], gradients[:1]))
    squares = (12.5, 2.5 + 30.5, 2.5 + 30.5 + 2.5)  # mean squares, summed up
    steps = [6.0 / squares[1] ** 0.5 + 1.0 / squares[2] ** 0.5, 3.0 / squares[0] ** 0.5]
    assert scaled[2, 0].item() == pytest.approx(-0.5 * steps[0])
    assert scaled[0, 0].item() == pytest.approx(-0.5 * steps[1])
    assert scaled[1].tolist() == [0.0, 0.0]
    assert FIRST_SQUARE < 1e-6


@pytest.mark.parametrize("optimizer", [RowSgd, RowAdagrad])
def test_gradients_of_weighted_means_are_handed_on_to_their_rows(
    optimizer: type[RowOptimizer],
) -> None:
    torch.manual_seed(5)
    of_means, own = torch.randn(2, 3), torch.randn(2, 3)
    rows, places = torch.tensor([4, 1, 4]), torch.tensor([0, 0, 1])
    shares, named = torch.tensor([0.25, 0.75, 1.0]), torch.tensor([1, 3])
    in_parts, written_out = torch.zeros(5, 3), torch.zeros(5, 3)
    parts = RowGradients(rows, of_means, places, shares), RowGradients(named, own)
    whole = RowGradients(
        torch.cat((rows, named)), torch.cat((of_means[places] * shares.unsqueeze(1), own))
    )
    optimizer(in_parts, 0.5).step(*parts)
    optimizer(written_out, 0.5).step(whole)
    torch.testing.assert_close(in_parts, written_out)
    assert in_parts[[1, 3, 4]].ne(0).all()


@pytest.mark.parametrize(
    "parameters", [{}, {"convention": "implicit", "learning_rate": 0.05, "epochs": 150}]
)
def test_items_of_a_group_become_neighbours(parameters):
    learned = learn(made_up_log(), **parameters)
    assert learned.vectors.shape == (80, 17)
    assert learned.losses[-1] < learned.losses[0] / 2
    assert purity(learn(made_up_log(), epochs=1, learning_rate=1e-6)) < 0.3
    assert purity(learned) > 0.9


def test_equal_rows_and_seed_give_equal_bits_in_any_order():
    log = made_up_log()
    first = learn(log)
    torch.rand(3)  # random numbers that others draw do not matter
    order = np.random.default_rng(2).permutation(log.num_rows)
    parts = [log.take(order[:100]), log.take(order[100:])]
    second = learn(pa.concat_tables(parts))
    assert second.item_ids.equals(first.item_ids)
    assert np.array_equal(second.vectors, first.vectors)
    assert (second.losses, second.digest) == (first.losses, first.digest)
    assert learn(log, seed=2).digest != first.digest
    assert not torch.are_deterministic_algorithms_enabled()


def test_rows_of_nearly_no_weight_change_nothing_that_can_be_measured_and_full_ones_do():
    log = made_up_log()
    alone = purity(learn(log))
    faint = purity(learn(pa.concat_tables([log, bridges(1e-6)])))
    full = purity(learn(pa.concat_tables([log, bridges(1.0)])))
    spread = [purity(learn(log, seed=seed)) for seed in range(2, 6)]
    assert faint >= min(spread) - 0.02
    assert full < alone - 0.1


def test_who_has_every_item_teaches_nothing_and_items_of_theirs_alone_have_no_vector():
    everything = [("all", item) for item in ("a", "b", "c")]
    assert learn(as_table(everything, [1.0] * 3)).vectors.shape == (0, 17)
    learned = learn(as_table([*everything, ("one", "b")], [1.0] * 4))
    assert learned.item_ids.to_pylist() == ["b"]
    assert learned.losses[-1] < learned.losses[0]


def test_no_interaction_is_no_vector():
    empty = pa.table(
        {"user_id": pa.array([], pa.string()), "item_id": pa.array([], pa.string())}
    ).append_column("weight", pa.array([], pa.float64()))
    learned = learn(empty)
    assert learned.to_arrow().num_rows == 0
    assert learned.losses == ()


def test_progress_ends_with_all_interactions_of_all_epochs():
    calls: list[tuple[int, int, str]] = []
    matrix = interaction_matrix(made_up_log())
    Bpr(**SMALL).learn(matrix, 1, lambda *arguments: calls.append(arguments))
    assert calls[-1][:2] == (20 * 1200, 20 * 1200)
    assert calls[-1][2].startswith("epoch 20, loss 0.")


def test_a_loss_that_is_no_number_ends_the_training():
    with pytest.raises(StageError, match=r"in epoch \d+; set a lower i2i.bpr.learning_rate"):
        learn(made_up_log(), learning_rate=1e30, optimizer="sgd")


def test_a_convention_gives_way_to_what_is_given():
    backbone = Bpr(convention="implicit", epochs=3)
    assert (backbone.optimizer, backbone.negatives, backbone.epochs) == ("sgd", "popularity", 3)
    assert (backbone.factors, backbone.exponent) == (100, 1.0)
    assert Bpr().optimizer == "adagrad"


def test_a_table_of_several_batches_holds_every_vector(monkeypatch):
    from llm_i2i_spark.backbones.embedding import item_embeddings

    monkeypatch.setattr(item_embeddings, "ITEMS_PER_BATCH", 7)
    learned = learn(made_up_log(), epochs=1)
    rows = learned.to_arrow()
    assert rows["item_id"].to_pylist() == learned.item_ids.to_pylist()
    assert np.array_equal(np.array(rows["embedding"].to_pylist(), np.float32), learned.vectors)
