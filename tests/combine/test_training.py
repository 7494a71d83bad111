"""The training: what it minimises, what it keeps, that it is the same to the bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.combine.examples import FlatExamples, flatten_examples, no_examples
from llm_i2i_spark.combine.network import Network, standardisation, to_combiner
from llm_i2i_spark.combine.training import CombinerTraining, train_combiner
from llm_i2i_spark.kernels.combiner import TENSORS, Combiner
from llm_i2i_spark.training_job.events import Reporter, discard

pytestmark = pytest.mark.lm
SMALL = CombinerTraining(hidden=8, epochs=6, batch_size=32, learning_rate=0.02)


def train(flat: FlatExamples, training: CombinerTraining = SMALL, seed: int = 1, sink=discard):
    return train_combiner(flat, training, seed, Reporter(sink), "blend of real")


def merged_scores(row: dict, combiner: Combiner, width: int) -> np.ndarray:
    """(candidates,) what the lookup gives each candidate of an example, term by term."""
    features = np.array(row["features"], np.float32).reshape(-1, width)
    corrected = combiner.combine(np.array(row["mixture"]), features)
    scores = np.zeros(len(row["candidate_weights"]))
    for recent, candidate, value in zip(
        row["pair_recent"], row["pair_candidate"], corrected, strict=True
    ):
        scores[candidate] += row["recent_weights"][recent] * value
    return scores


def mean_loss(rows: list[dict], combiner: Combiner, width: int) -> float:
    """The definition: cross entropy of the sampled softmax."""
    losses = []
    for row in rows:
        scores = merged_scores(row, combiner, width)
        loss = np.log(np.dot(row["candidate_weights"], scores)) - np.log(scores[0])
        losses.append(row["loss_weight"] * loss)
    return float(np.mean(losses))


def test_a_feature_that_decides_is_learned_for_users_who_were_not_trained_on(tiny):
    rows, others = tiny.examples(600), tiny.examples(200, seed=77)
    combiner = train(flatten_examples(tiny.as_arrow(rows), tiny.features)).combiner
    unchanged = train(no_examples(tiny.features)).combiner
    found, before = (
        np.mean([np.argmax(merged_scores(row, one, tiny.features)) == 0 for row in others])
        for one in (combiner, unchanged)
    )
    assert before < 0.25
    assert found > 0.8


def test_the_weights_are_those_of_the_lowest_held_out_loss_and_it_is_the_one_of_the_definition(
    tiny,
):
    rows = tiny.examples(120, decides=False)
    for number, row in enumerate(rows):
        row["loss_weight"] = [1.0, 2.5][number % 2]
    flat = flatten_examples(tiny.as_arrow(rows), tiny.features)
    held_out = [row for row, chosen in zip(rows, flat.held_out, strict=True) if chosen]
    found = train(flat, CombinerTraining(hidden=32, epochs=12, batch_size=8, learning_rate=0.01))
    losses = [found.mixture_loss, *(point.held_out_loss for point in found.curve)]
    assert found.best_epoch == np.argmin(losses) < 12
    assert found.curve[-1].loss < found.curve[0].loss  # learned by heart
    loss = mean_loss(held_out, found.combiner, tiny.features)
    assert loss == pytest.approx(min(losses), rel=1e-5)
    untrained = train(no_examples(tiny.features)).combiner
    assert mean_loss(held_out, untrained, tiny.features) == pytest.approx(losses[0], rel=1e-5)


def test_arrays_and_torch_apply_the_same_network():
    torch.manual_seed(4)
    network = Network(11, 16, 0.5).eval()
    torch.nn.init.normal_(network.last.weight)
    features = np.random.default_rng(5).normal(3, 2, (500, 11)).astype(np.float32)
    mean, scale = standardisation(features)
    with torch.no_grad():
        wanted = network(torch.from_numpy((features - mean) / scale)).numpy()
    found = to_combiner(network, mean, scale).combine(np.full(500, 0.25), features)
    assert np.abs(wanted).max() > 1
    np.testing.assert_allclose(np.log(found / 0.25), wanted, rtol=0, atol=1e-5)


def test_features_are_standardised_over_all_pairs():
    features = np.random.default_rng(6).normal(50, 3, (7000, 3)).astype(np.float32)
    mean, scale = standardisation(features)
    np.testing.assert_allclose(mean, features.astype(float).mean(0), rtol=1e-6)
    np.testing.assert_allclose(scale, features.astype(float).std(0), rtol=1e-6)


def test_a_feature_that_never_varies_in_the_examples_has_no_say_where_it_does(tiny):
    flat = flatten_examples(tiny.as_arrow(tiny.examples(150)), tiny.features)
    features = flat.features.copy()
    features[:, 2] = 0.3
    combiner = train(flat._replace(features=features)).combiner
    mixture, features = np.ones(40), features[:40]
    before = combiner.combine(mixture, features)
    features[:, 2] = 5
    assert before.std() > 0
    assert np.array_equal(combiner.combine(mixture, features), before)


def test_equal_examples_and_seed_give_equal_bits_wherever_the_arrays_lie(tiny):
    table = tiny.as_arrow(tiny.examples(150))
    threads = torch.get_num_threads()
    first = train(flatten_examples(table, tiny.features))
    torch.rand(3)  # random numbers that others draw do not matter
    moved = flatten_examples(pa.concat_tables([table.slice(0, 7), table.slice(7)]), tiny.features)
    shifted = np.empty(moved.features.size + 1, np.float32)[1:].reshape(moved.features.shape)
    shifted[:] = moved.features
    second = train(moved._replace(features=shifted))
    for name in TENSORS:
        assert np.array_equal(getattr(first.combiner, name), getattr(second.combiner, name)), name
    assert first.curve == second.curve
    other = train(flatten_examples(table, tiny.features), seed=2)
    assert not np.array_equal(first.combiner.weight_1, other.combiner.weight_1)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_few_examples_leave_the_mixture_as_it_is_and_say_so(tiny):
    events: list[dict] = []
    flat = flatten_examples(tiny.as_arrow(tiny.examples(49)), tiny.features)
    found = train(flat, sink=events.append)
    mixture = np.random.default_rng(1).random(len(flat.features))
    assert np.array_equal(found.combiner.combine(mixture, flat.features), mixture)
    assert (found.curve, found.best_epoch) == ((), 0)
    assert [event["text"] for event in events] == [
        "blend of real: 49 examples are too few for a network (from 50 on); the mixture stays as"
        " it is"
    ]


def test_progress_counts_the_examples_of_all_epochs(tiny):
    events: list[dict] = []
    train(flatten_examples(tiny.as_arrow(tiny.examples(100)), tiny.features), sink=events.append)
    progress = [event for event in events if event["kind"] == "progress"]
    assert (progress[-1]["done"], progress[-1]["total"]) == (6 * 90, 6 * 90)
    assert progress[-1]["note"].startswith("epoch 6, loss ")


def test_a_loss_that_is_no_number_ends_the_training(tiny):
    flat = flatten_examples(tiny.as_arrow(tiny.examples(100)), tiny.features)
    with pytest.raises(StageError, match="not a number in epoch 1; set a lower learning_rate"):
        train(flat, CombinerTraining(learning_rate=1e38, batch_size=16))


def test_few_examples_are_passed_over_more_often(tiny):
    training = replace(SMALL, epochs=2, least_steps=100)
    flat = flatten_examples(tiny.as_arrow(tiny.examples(120)), tiny.features)
    found = train(flat, training)
    batches = -(-int((~flat.held_out).sum()) // training.batch_size)
    assert len(found.curve) == -(-100 // batches) > 2
    assert found.curve[-1].learning_rate < found.curve[0].learning_rate


def test_examples_that_weigh_more_are_learned_better(tiny):
    """Half of the examples want a feature to be high, the other half want it low."""
    rows = tiny.examples(400)
    for number, row in enumerate(rows):
        if number % 2:
            row["features"] = [-value for value in row["features"]]

    def losses(weight: float) -> list[float]:
        for row in rows[::2]:
            row["loss_weight"] = weight
        combiner = train(flatten_examples(tiny.as_arrow(rows), tiny.features)).combiner
        return [
            mean_loss([{**row, "loss_weight": 1.0} for row in half], combiner, tiny.features)
            for half in (rows[::2], rows[1::2])
        ]

    even, heavy = losses(1.0), losses(4.0)
    assert heavy[0] < even[0]
    assert heavy[1] > even[1]
