"""The loop's arithmetic against plain torch and against DeepSpeed, and its training checkpoints."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from llm_i2i_spark.base.errors import StageError, UserError
from llm_i2i_spark.base.manifest import MANIFEST
from llm_i2i_spark.base.sections.sft import SftConfig
from llm_i2i_spark.lm.encoding import Encoder
from llm_i2i_spark.lm.new_model import build_model
from llm_i2i_spark.lm.packing import IGNORE_INDEX
from llm_i2i_spark.lm.vocabulary import ItemVocabulary
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.sft import training_checkpoints
from llm_i2i_spark.sft.deepspeed_engine import DeepSpeedEngine
from llm_i2i_spark.sft.distributed import Distributed
from llm_i2i_spark.sft.engine import (
    BETAS,
    DEFAULT_SETTINGS,
    TrainingPlan,
    engine_settings,
    parameter_groups,
)
from llm_i2i_spark.sft.examples import GeneratorRow
from llm_i2i_spark.sft.objectives.next_item import NextItemObjective
from llm_i2i_spark.sft.plain_engine import PlainEngine
from llm_i2i_spark.sft.roles import DISCRIMINATOR, GENERATOR
from llm_i2i_spark.sft.training import (
    EXAMPLE_ORDER,
    random_numbers,
    split_batch,
    train,
    trained_tokens,
)
from llm_i2i_spark.sft.training_checkpoints import TrainingCheckpoints
from llm_i2i_spark.training_job.events import Reporter, discard

pytestmark = pytest.mark.lm
N_ITEMS, EXAMPLES = 12, 20
CPU = torch.device("cpu")
SETTINGS = SftConfig(
    layers=1,
    hidden_size=16,
    heads=2,
    intermediate_size=32,
    dropout=0.0,
    batch_size=8,
    accumulation_steps=2,
    epochs=2,
)


def make_model(settings=SETTINGS):
    features = np.random.default_rng(0).normal(size=(N_ITEMS, 4)).astype(np.float32)
    model = build_model(settings, N_ITEMS, features, None, seed=1)
    model.label_head.requires_grad_(False)
    return model


def make_objective(model, weights, sampled=0):
    vocabulary = ItemVocabulary.atomic([f"i{n:02d}" for n in range(N_ITEMS)])
    rng = np.random.default_rng(5)
    rows = []
    for _ in range(EXAMPLES):
        chosen = rng.integers(0, N_ITEMS, rng.integers(2, 6))
        items = [Item(f"i{n:02d}", "") for n in chosen]
        rows.append(GeneratorRow("u", [], items, [weights(n) for n in chosen]))
    return NextItemObjective(
        rows,
        Encoder(vocabulary, model.vocabulary_size, None, GENERATOR.template, 50, 64),
        np.ones(N_ITEMS, bool),
        sampled,
        CPU,
    )


def make_plan(settings=SETTINGS):
    return TrainingPlan.of_role(GENERATOR, settings, seed=7, device=CPU)


def run(model, objective, plan, one_rank, folder, notes=None):
    reporter = Reporter((notes if notes is not None else []).append)
    return train(
        model, objective, plan, one_rank, TrainingCheckpoints(folder, one_rank, reporter), reporter
    )


def train_plainly(model, objective, plan, loss_of_batch):
    """The same training without DeepSpeed, accumulation or loss sums: the whole batch at once."""
    optimizer = torch.optim.AdamW(parameter_groups(model, plan), lr=1.0, betas=BETAS)
    steps = 3  # 20 examples, at most 8 a step
    for epoch in range(plan.epochs):
        order = random_numbers(plan, EXAMPLE_ORDER, epoch).permutation(EXAMPLES)
        for number, chosen in enumerate(np.array_split(order, steps)):
            for group in optimizer.param_groups:
                group["lr"] = plan.learning_rate_at(epoch * steps + number, plan.epochs * steps)
            batch = objective._examples.batch([[index] for index in chosen])
            predicted = batch.targets != IGNORE_INDEX
            logits = model.item_logits(model(batch.tokens, batch.position_ids)[predicted])
            optimizer.zero_grad()
            loss_of_batch(logits, batch.targets[predicted], batch.weights[predicted]).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()


def assert_same_weights(one, other, tolerance):
    for (name, a), (_, b) in zip(one.state_dict().items(), other.state_dict().items(), strict=True):
        torch.testing.assert_close(
            a, b, rtol=0, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_all_weights_one_trains_like_plain_cross_entropy(one_rank, tmp_path):
    model, plain = make_model(), make_model()
    objective = make_objective(model, lambda n: 1.0)
    run(model, objective, make_plan(), one_rank, tmp_path)
    train_plainly(
        plain,
        objective,
        make_plan(),
        lambda logits, targets, weights: functional.cross_entropy(logits, targets),
    )
    assert_same_weights(model, plain, 2e-6)


def test_weights_divide_over_the_whole_batch(one_rank, tmp_path):
    def weighted(logits, targets, weights):
        return (
            weights * functional.cross_entropy(logits, targets, reduction="none")
        ).sum() / weights.sum()

    model, plain, unweighted = make_model(), make_model(), make_model()
    objective = make_objective(model, lambda n: 4.0 if n < 3 else 1.0)
    run(model, objective, make_plan(), one_rank, tmp_path)
    train_plainly(plain, objective, make_plan(), weighted)
    assert_same_weights(model, plain, 2e-6)
    train_plainly(
        unweighted,
        objective,
        make_plan(),
        lambda logits, targets, weights: functional.cross_entropy(logits, targets),
    )
    assert not torch.allclose(
        model.item_embedding.weight, unweighted.item_embedding.weight, atol=1e-4
    )


@pytest.mark.parametrize("engine", ["plain", "deepspeed"])
def test_a_batch_in_parts_trains_like_the_whole(engine, one_rank, tmp_path):
    trained = []
    for tokens in (None, 8):
        settings = SETTINGS.model_copy(update={"micro_batch_tokens": tokens})
        if engine == "deepspeed":
            settings = with_deepspeed(settings, tmp_path)
        model, plan = make_model(), make_plan(settings)
        objective = make_objective(model, lambda n: 4.0 if n < 3 else 1.0)
        run(model, objective, plan, one_rank, tmp_path / str(tokens))
        trained.append(model)
    assert_same_weights(*trained, 2e-6)


def test_parts_are_as_many_on_all_ranks_and_hold_all_examples():
    lengths = np.random.default_rng(3).integers(1, 60, 100)
    batch = np.random.default_rng(4).permutation(100)[:50]
    plan = make_plan(SETTINGS.model_copy(update={"micro_batch_tokens": 100}))
    whole = split_batch(batch, lengths, make_plan(), 3)
    parts = split_batch(batch, lengths, plan, 3)
    for one, other in zip(whole, parts, strict=True):
        assert [len(share) for share in one] == [1, 1, 1]
        assert len({len(share) for share in other}) == 1
        assert len(other[0]) > 1
        for (share,), split in zip(one, other, strict=True):
            assert np.concatenate(split).tolist() == share.tolist()
            assert all(lengths[part].sum() < 200 for part in split)
    each = make_plan(SETTINGS.model_copy(update={"micro_batch_tokens": 1}))
    assert {
        len(share) for of_step in split_batch(batch, lengths, each, 3) for share in of_step
    } == {8}


def test_so_many_steps_and_no_more(one_rank, tmp_path):
    notes, settings = [], SETTINGS.model_copy(update={"epochs": 5, "max_steps": 4})
    model, plan = make_model(), make_plan(settings)
    objective = make_objective(model, lambda n: 1.0)
    curve = run(model, objective, plan, one_rank, tmp_path, notes)
    # 20 examples, at most 8 a step: an epoch of three steps, and one step of the next.
    steps = [note for note in notes if note["kind"] == "progress"]
    assert (steps[-1]["done"], steps[-1]["total"]) == (4, 4)
    assert [point.epoch for point in curve] == [1, 2]
    assert curve[-1].learning_rate == plan.learning_rate_at(3, 4)
    second = random_numbers(plan, EXAMPLE_ORDER, 1).permutation(EXAMPLES)
    of_second = objective.lengths[np.array_split(second, 3)[0]].sum()
    assert trained_tokens(objective, plan, one_rank) == objective.lengths.sum() + of_second
    whole = make_plan(SETTINGS)
    assert trained_tokens(objective, whole, one_rank) == whole.epochs * objective.lengths.sum()


def with_deepspeed(settings, folder):
    """The settings with a DeepSpeed file, with which one CPU process uses DeepSpeed."""
    path = folder / "zero2.json"
    path.write_text(DEFAULT_SETTINGS.read_text())
    return settings.model_copy(update={"deepspeed": str(path)})


RESUMED = SETTINGS.model_copy(update={"epochs": 5, "checkpoint_every": 1, "dropout": 0.2})


def train_resumed(settings, one_rank, folder, notes=None):
    """The model and the curve of a training that goes on from what is in the folder."""
    model = make_model(settings)
    objective = make_objective(model, lambda n: 1.0, sampled=6)
    return model, run(model, objective, make_plan(settings), one_rank, folder, notes)


def texts_of(notes):
    return [note["text"] for note in notes if note["kind"] == "note"]


@pytest.mark.parametrize("max_norm", [100.0, 0.05])
def test_without_deepspeed_the_weights_are_the_same_to_the_bit(max_norm, one_rank):
    plan = make_plan(RESUMED)
    settings = {**engine_settings(plan, 1), "gradient_clipping": max_norm}
    engines = []
    for kind in ("plain", "deepspeed"):
        model = make_model(RESUMED)
        optimizer = torch.optim.AdamW(parameter_groups(model, plan), lr=1e-2, fused=True)
        engines.append(
            PlainEngine(model, optimizer, plan.accumulation, max_norm)
            if kind == "plain"
            else DeepSpeedEngine(model, optimizer, settings, one_rank)
        )
    objective = make_objective(engines[0].module, lambda n: 1.0, sampled=6)
    for engine in engines:
        engine.train()
        for step in range(12):
            torch.manual_seed(step)
            sums = objective.loss(
                engine, range(step, step + 6), torch.Generator().manual_seed(step)
            )
            engine.backward(sums.loss)
            engine.step()
        engine.destroy()
    assert_same_weights(engines[0].module, engines[1].module, 0.0)
    assert not torch.equal(
        engines[0].module.item_embedding.weight, make_model().item_embedding.weight
    )


@pytest.mark.parametrize("engine", ["plain", "deepspeed"])
@pytest.mark.faults("F17", end="same")
def test_a_damaged_checkpoint_is_skipped_and_the_one_before_gives_the_same_weights(
    engine, one_rank, tmp_path
):
    settings = RESUMED if engine == "plain" else with_deepspeed(RESUMED, tmp_path)
    uninterrupted, curve = train_resumed(settings, one_rank, tmp_path)
    kept = sorted(path.name for path in tmp_path.glob("epoch-*"))
    assert kept == ["epoch-00003", "epoch-00004"]
    files = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert {Path(name).suffix for name in files} == {".json", ".safetensors"}

    flip_a_bit(tmp_path / "epoch-00004" / "state" / "rank-0.safetensors")
    (tmp_path / "epoch-00009").mkdir()
    notes = []
    resumed, again = train_resumed(settings, one_rank, tmp_path, notes)
    texts = texts_of(notes)
    assert texts[0].startswith("skipped the checkpoint epoch-00009: not whole")
    assert texts[1].startswith("skipped the checkpoint epoch-00004")
    assert "rank-0.safetensors was changed" in texts[1]
    assert texts[2] == "resumed the generator after epoch 3"
    assert again == curve
    assert_same_weights(resumed, uninterrupted, 0.0)


def flip_a_bit(path, place=0.5):
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 1
    path.write_bytes(bytes(content))


def make_whole(folder):
    """Write a manifest that vouches for whatever is in a folder."""
    (folder / MANIFEST).unlink()
    training_checkpoints._write_manifest(folder)


@pytest.fixture(scope="module")
def two_checkpoints(one_rank, tmp_path_factory):
    """A folder with the checkpoints of epochs 3 and 4."""
    folder = tmp_path_factory.mktemp("two")
    train_resumed(RESUMED, one_rank, folder)
    return folder


@pytest.mark.parametrize(
    "name",
    ["progress.json", "state/weights.safetensors", "state/rank-0.safetensors", "state/rank-0.json"],
)
@pytest.mark.parametrize("damage", ["flip", "lack"])
@pytest.mark.faults("F17", end="same")
def test_every_file_of_a_checkpoint_is_verified(name, damage, two_checkpoints, one_rank, tmp_path):
    folder = shutil.copytree(two_checkpoints, tmp_path / "copy")
    damaged = folder / "epoch-00004" / name
    if damage == "flip":
        flip_a_bit(damaged, 0.9)
    else:
        damaged.unlink()
    notes = []
    found = TrainingCheckpoints(folder, one_rank, Reporter(notes.append))._newest_complete(
        make_model(RESUMED), 5
    )
    assert found[0].name == "epoch-00003"
    assert ("was changed" if damage == "flip" else "not whole") in texts_of(notes)[0]


@pytest.mark.faults("F17", end="same")
def test_flipped_bits_of_a_manifest_are_found_or_harmless(two_checkpoints, one_rank, tmp_path):
    folder = shutil.copytree(two_checkpoints, tmp_path / "copy")
    manifest = folder / "epoch-00004" / MANIFEST
    whole = manifest.read_bytes()
    skipped = 0
    for place in range(0, len(whole), 7):
        content = bytearray(whole)
        content[place] ^= 1 << (place % 7)
        manifest.write_bytes(bytes(content))
        found = TrainingCheckpoints(folder, one_rank, Reporter(discard))._newest_complete(
            make_model(RESUMED), 5
        )
        skipped += found[0].name == "epoch-00003"
    assert skipped > 50  # of 60; the others are blanks


class Canary:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize(
    "name", ["rank-0.safetensors", "weights.safetensors", "rank-0.json", "x.pt"]
)
def test_a_planted_pickle_never_runs(name, two_checkpoints, one_rank, tmp_path):
    folder = shutil.copytree(two_checkpoints, tmp_path / "copy")
    planted, sung = tmp_path / "planted", tmp_path / "sung"
    torch.save(Canary(sung), planted)
    shutil.copy(planted, folder / "epoch-00004" / "state" / name)
    make_whole(folder / "epoch-00004")
    notes = []
    train_resumed(RESUMED, one_rank, folder, notes)
    resumed = "resumed the generator after epoch " + ("4" if name == "x.pt" else "3")
    assert resumed in texts_of(notes)
    assert not sung.exists()
    torch.load(planted, weights_only=False)
    assert sung.exists()


@pytest.mark.parametrize(
    "progress",
    ['{"world": 1}', '{"world": 1, "curve": [7]}', '{"world": 1, "curve": []}', "[" * 9999],
)
@pytest.mark.faults("F17", end="same")
def test_a_crafted_curve_is_skipped(progress, two_checkpoints, one_rank, tmp_path):
    folder = shutil.copytree(two_checkpoints, tmp_path / "copy")
    (folder / "epoch-00004" / "progress.json").write_text(progress)
    make_whole(folder / "epoch-00004")
    notes = []
    train_resumed(RESUMED, one_rank, folder, notes)
    assert texts_of(notes)[0].startswith("skipped the checkpoint epoch-00004: not whole")
    assert texts_of(notes)[1] == "resumed the generator after epoch 3"


@pytest.mark.parametrize(
    "tree",
    [
        '{"value": 1}',
        '{"dict": [["state", {"dict": []}], ["param_groups", {"list": [], "tuple": false}]]}',
    ],
    ids=["a number", "no parameters"],
)
@pytest.mark.faults("F17", end="error")
def test_a_crafted_state_stops_one_start_and_not_the_next(
    tree, two_checkpoints, one_rank, tmp_path
):
    folder = shutil.copytree(two_checkpoints, tmp_path / "copy")
    (folder / "epoch-00004" / "state" / "rank-0.json").write_text(tree)
    make_whole(folder / "epoch-00004")
    with pytest.raises(StageError, match="epoch-00004 cannot be resumed from"):
        train_resumed(RESUMED, one_rank, folder)
    notes = []
    train_resumed(RESUMED, one_rank, folder, notes)
    assert texts_of(notes) == ["resumed the generator after epoch 3"]


@pytest.mark.faults("F18", end="same")
def test_a_checkpoint_of_another_number_of_ranks_is_not_taken(two_checkpoints):
    notes = []
    two = Distributed(0, 2, CPU)
    checkpoints = TrainingCheckpoints(two_checkpoints, two, Reporter(notes.append))
    assert checkpoints._newest_complete(make_model(RESUMED), 5) is None
    assert "written by 1 ranks, and there are 2" in notes[0]["text"]


@pytest.mark.faults("F19", end="error")
def test_an_exploding_loss_stops_the_training(one_rank, tmp_path):
    model = make_model()
    objective = make_objective(model, lambda n: float("inf"))
    with pytest.raises(StageError, match="not a number in epoch 1"):
        run(model, objective, make_plan(), one_rank, tmp_path)


@pytest.mark.faults("F19", end="error")
@pytest.mark.parametrize(
    ("epochs", "batch_size", "wrong"),
    [
        (5, 8, "loss is not a number in epoch 1"),
        # After the only step nothing computes a loss any more.
        (1, EXAMPLES, "weights are not numbers in epoch 1"),
    ],
)
def test_a_learning_rate_that_blows_up_stops_the_training_and_keeps_nothing_of_it(
    epochs, batch_size, wrong, one_rank, tmp_path
):
    changed = {"learning_rate": 1e300, "epochs": epochs, "batch_size": batch_size, "least_steps": 1}
    with pytest.raises(StageError, match=f"The generator's {wrong}: lower its learning_rate"):
        train_resumed(RESUMED.model_copy(update=changed), one_rank, tmp_path)
    assert list(tmp_path.glob("epoch-*")) == []


@pytest.mark.parametrize(
    ("objective_weight", "world_size", "sentence"),
    [(0.0, 1, "no example with a weight above 0"), (1.0, 64, "too few for 128 ranks")],
)
@pytest.mark.faults("F19", end="error")
def test_nothing_to_train_on(objective_weight, world_size, sentence, tmp_path):
    model = make_model()
    with pytest.raises(UserError, match=sentence):
        run(
            model,
            make_objective(model, lambda n: objective_weight),
            make_plan(),
            Distributed(0, world_size, CPU),
            tmp_path,
        )


def test_learning_rate_rises_then_falls():
    plan = make_plan(SETTINGS.model_copy(update={"warmup_share": 0.1, "learning_rate": 1.0}))
    rates = [plan.learning_rate_at(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == pytest.approx(1.0)
    assert all(np.diff(rates[9:]) <= 0)
    assert rates[-1] == pytest.approx(0.02, abs=1e-3)
    assert make_plan(
        SETTINGS.model_copy(update={"warmup_share": 0.0, "learning_rate": 1.0})
    ).learning_rate_at(0, 10) == pytest.approx(1.0)


def test_item_embeddings_and_biases_do_not_decay_and_the_discriminator_moves_items_slowly():
    model = make_model()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    plan = TrainingPlan.of_role(DISCRIMINATOR, SETTINGS, seed=7, device=CPU)
    matrices, vectors, items = parameter_groups(model, plan)
    assert all(
        "proj" in names[id(parameter)] or "embed" in names[id(parameter)]
        for parameter in matrices["params"]
    )
    assert all("norm" in names[id(parameter)] for parameter in vectors["params"])
    assert [names[id(parameter)] for parameter in items["params"]] == [
        "item_embedding.weight",
        "text_projection.weight",
        "text_projection.bias",
    ]
    assert [group["weight_decay"] for group in (matrices, vectors, items)] == [0.01, 0.0, 0.0]
    assert [group["rate_factor"] for group in (matrices, vectors, items)] == [1.0, 1.0, 0.3]
    trained = sum(len(group["params"]) for group in (matrices, vectors, items))
    assert trained == sum(
        parameter.requires_grad for parameter in model.parameters()
    )  # the label head is not trained here
    assert all(group["rate_factor"] == 1.0 for group in parameter_groups(model, make_plan()))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "not a readable JSON file"),
        ('{"optimizer": {}}', "Take 'optimizer' out"),
        ('{"zero_optimization": {"stage": 3}}', "ZeRO stage 3"),
    ],
)
def test_deepspeed_files_that_cannot_be_used(content, sentence, tmp_path):
    path = tmp_path / "zero.json"
    path.write_text(content)
    settings = SETTINGS.model_copy(update={"deepspeed": str(path)})
    with pytest.raises(UserError, match=sentence):
        engine_settings(make_plan(settings), world_size=1)


def test_a_batch_must_split_evenly():
    with pytest.raises(UserError, match="batch_size 8 must be a multiple of 3 ranks x 2"):
        engine_settings(make_plan(), world_size=3)
    settings = engine_settings(make_plan(), world_size=2)
    assert (
        settings["train_batch_size"],
        settings["train_micro_batch_size_per_gpu"],
        settings["gradient_accumulation_steps"],
    ) == (8, 2, 2)


def test_the_tunable_file_is_accepted():
    path = Path(__file__).resolve().parents[2] / "conf" / "deepspeed" / "zero2.json"
    settings = engine_settings(
        make_plan(SETTINGS.model_copy(update={"deepspeed": str(path)})), world_size=2
    )
    assert settings["zero_optimization"]["stage"] == 2


@pytest.mark.parametrize(
    ("examples", "slots", "steps"),
    [
        (25_600, 1, 100),  # a large log: batches of 256
        (6_000, 1, 75),  # a small one: 1,500 steps in 20 epochs, of 80 examples
        (640, 1, 20),  # 32 examples a step at least
        (20, 1, 1),
        (6, 4, 1),
    ],
)
def test_a_small_log_has_smaller_batches_and_no_fewer_steps(
    examples: int, slots: int, steps: int
) -> None:
    plan = make_plan(SftConfig())
    assert (plan.epochs, plan.batch_size, plan.least_steps) == (20, 256, 1500)
    assert plan.steps_an_epoch(examples, slots) == steps


def test_few_steps_have_whole_batches() -> None:
    plan = make_plan(SftConfig(max_steps=10))
    # As many examples as ten steps take, of which an epoch is as long.
    assert plan.steps_an_epoch(2560, 1) == plan.steps_of_all_epochs(10) == 10
