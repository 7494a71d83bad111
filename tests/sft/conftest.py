"""A tiny lake, written without Spark, and the fine-tuning job on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch
from deltalake import write_deltalake
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.sft.distributed import Distributed, initialize_distributed
from llm_i2i_spark.sft.job import Job
from llm_i2i_spark.sft.roles import ROLES
from llm_i2i_spark.sft.roles.base import Role
from llm_i2i_spark.sft.stage import STAGE
from llm_i2i_spark.training_job.events import Reporter
from tests.stage_runs import pinned_run

USERS, ITEMS = 40, 30
ITEM = pa.struct([("item_id", pa.string()), ("text", pa.string())])
TARGET = pa.struct([("item_id", pa.string()), ("text", pa.string()), ("loss_weight", pa.float64())])
KINDS = ("red lip balm", "green tea soap", "steel nail file", "rose hand cream", "soft hair brush")


def catalogue() -> list[dict]:
    return [{"item_id": f"i{n:02d}", "text": f"{KINDS[n % 5]} number {n}"} for n in range(ITEMS)]


def write_lake(root: Path, layout: str = "sequence") -> Path:
    """Tables `items`, `sft_generator`, `sft_discriminator`; users mostly buy items of one kind."""
    rng = np.random.default_rng(3)
    items = catalogue()
    generator, discriminator = [], []
    for number in range(USERS):
        user = f"u{number:02d}"
        same_kind = [n for n in range(ITEMS) if n % 5 == number % 5]
        bought = [items[n] for n in [*rng.permutation(same_kind)[:5], *rng.permutation(ITEMS)[:1]]]
        bought = list({item["item_id"]: item for item in bought}.values())
        weighted = [
            {**item, "loss_weight": 4.0 if item["item_id"] > "i20" else 1.0} for item in bought
        ]
        seen = weighted[:-1] if number % 4 == 0 else weighted
        if layout != "instruct":
            generator.append(_row(f"{user}|train", user, "train", [], seen))
        else:
            generator += [
                _row(f"{user}|train|{n}", user, "train", bought[:n], [seen[n]])
                for n in range(1, len(seen))
            ]
        if number % 4 == 0:
            generator.append(
                _row(f"{user}|calibration", user, "calibration", bought[:-1], weighted[-1:])
            )
        for position in (len(seen) - 2, len(seen) - 1):
            others = [items[n] for n in rng.permutation(ITEMS) if items[n] not in bought][:4]
            for sample, candidate in enumerate([bought[position], *others]):
                example_id = f"{user}|{position}|{sample}"
                columns = ("example_id", "user_id", "position", "history", "candidate", "label")
                values = (example_id, user, position, bought[:position], candidate, sample == 0)
                discriminator.append(dict(zip(columns, values, strict=True)))
    rng.shuffle(generator)
    _write(root / "items", items, [("item_id", pa.string()), ("text", pa.string())])
    rows = [("example_id", pa.string()), ("user_id", pa.string())]
    _write(
        root / "sft_generator",
        generator,
        [*rows, ("split", pa.string()), ("history", pa.list_(ITEM)), ("targets", pa.list_(TARGET))],
    )
    labelled = [
        ("position", pa.int32()),
        ("history", pa.list_(ITEM)),
        ("candidate", ITEM),
        ("label", pa.bool_()),
    ]
    _write(root / "sft_discriminator", discriminator, [*rows, *labelled])
    return root


def _row(example_id: str, user: str, split: str, history: list, targets: list) -> dict:
    return {
        "example_id": example_id,
        "user_id": user,
        "split": split,
        "history": history,
        "targets": targets,
    }


def _write(path: Path, rows: list, fields: list) -> None:
    write_deltalake(str(path), pa.Table.from_pylist(rows, schema=pa.schema(fields)))


SMALL = {
    "layers": 1,
    "hidden_size": 16,
    "heads": 2,
    "intermediate_size": 32,
    "text_dims": 8,
    "epochs": 30,
    "batch_size": 16,
    "accumulation_steps": 2,
    "sampled_negatives": 12,
    "discriminator": {"epochs": 2, "batch_size": 16},
}


def base_model(folder: Path, texts: Sequence[str]) -> None:
    """A random Llama of a few thousand weights with a tokenizer, as a Hugging Face directory."""
    words = sorted(
        {word for text in texts for word in text.split()}
        | {"You", "judge", "Answer", "Yes", "No", "-", "."}
    )
    vocabulary = {
        token: number for number, token in enumerate(["[UNK]", "[PAD]", "<s>", "</s>", *words])
    }
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        bos_token="<s>",
        eos_token="</s>",
    )
    fast.chat_template = (
        "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}"
    )
    fast.save_pretrained(folder)
    shape = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        bos_token_id=2,
        eos_token_id=3,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(shape).save_pretrained(folder)


def write_config(root: Path, sft: dict | None = None, **sections: dict) -> Path:
    """A configuration for the tiny lake, as a file beside it."""
    values = {
        "lake": {"root": str(root)},
        "generate": {"per_user": 5},
        "sft": {**SMALL, **(sft or {})},
        **sections,
    }
    path = root / "config.yaml"
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def job_command(config: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "llm_i2i_spark.sft", "--config", str(config), *more]


def job_environment() -> dict[str, str]:
    """The environment without what an earlier test in this process may have set for its own rank;
    one thread a rank.
    """
    own = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    return {
        **{key: value for key, value in os.environ.items() if key not in own},
        "OMP_NUM_THREADS": "1",
    }


def run_job(config: Path, *more: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        job_command(config, *more),
        capture_output=True,
        text=True,
        timeout=400,
        env=job_environment(),
        check=False,
    )


@pytest.fixture(scope="session")
def one_rank() -> Distributed:
    """This process as the only rank, with as many threads as a job in a process of its own."""
    ranks = initialize_distributed()
    torch.set_num_threads(1)
    return ranks


@pytest.fixture
def run_here(one_rank):
    """Runs the job in this process, where torch and DeepSpeed are loaded already."""

    def run(
        config: Path, fingerprint: str = "x", roles: Sequence[Role] = ROLES, **versions: int
    ) -> tuple[int, list[str]]:
        """The committed version and the notes of a run, on version 0 of all other tables."""
        settings = load_config([config])
        notes: list[dict] = []
        reads = {**dict.fromkeys(STAGE.reads, 0), **versions}
        pinned = pinned_run("sft", reads, [{"branch": "base"}], "r1", fingerprint)
        lake, reporter = DeltaRsLake(settings.lake), Reporter(notes.append)
        version = Job(settings, pinned, lake, one_rank, reporter, roles).execute()
        return version, [note["text"] for note in notes if note["kind"] == "note"]

    return run


@pytest.fixture(scope="session")
def tiny():
    """The functions of this file, since test files cannot import one another."""
    return SimpleNamespace(
        write_lake=write_lake,
        write_config=write_config,
        base_model=base_model,
        run_job=run_job,
        environment=job_environment,
        small=SMALL,
    )


@pytest.fixture(scope="session")
def finished_lake(tmp_path_factory):
    """A lake on which the job ran to its end, undisturbed."""
    root = write_lake(tmp_path_factory.mktemp("finished"))
    done = run_job(write_config(root))
    assert done.returncode == 0, done.stderr + (root / "sft.log").read_text()
    return root, done
