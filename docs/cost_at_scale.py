"""What the paper's log would cost, for the page "What it costs": the language models by the
package's own estimate, the stages in Spark and what one process holds by the constants below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from llm_i2i_spark.config.config import Config
from llm_i2i_spark.cost.estimate import Estimate, number, short
from llm_i2i_spark.cost.hardware import Hardware
from llm_i2i_spark.cost.log_size import geometric_log
from llm_i2i_spark.cost.model_size import ModelSize
from llm_i2i_spark.cost.works import WORKS, works_of

USERS, ITEMS, ITEMS_A_USER, TITLE_BYTES = 209e6, 68e6, 48.0, 108.0
CLICKS = USERS * ITEMS_A_USER
SQUARES = USERS * (2 * ITEMS_A_USER**2 - ITEMS_A_USER)
"""Sum over the users of their items, squared, where these numbers are geometric."""
MODEL = ModelSize("a Llama of 7 B", 6.48e9, 0.26e9, 32, 4096, 4096)
LAYOUTS = ("sequence", "instruct")
GPUS, CORES_A_GPU = (8, 64, 512), 16
SETTINGS = {
    "sft.base_model": "a folder",
    "sft.epochs": 1,
    "sft.discriminator.epochs": 1,
    "cost.device": "h100",
    "cost.teraflops": {"h100": 400},
}

# Measured: `make benchmark BENCH=stages SCALE=0.4`, 20,000 users and 10,000 items, two cores; bytes
# of proposals and scores on the lake of `llm-i2i quickstart`.
MICROSECONDS = {"export": 60.1, "fuse": 6.78, "index": 1317.0}
BYTES = {
    "sft_generator": 85.6,
    "sft_discriminator": 38.7,
    "candidates": 7.7,
    "item_candidates": 7.5,
    "scored": 17.9,
    "fused": 6.0,
    "item_similarity": 10.6,
    "item_index": 2068.8,
}
# Measured: `make benchmark BENCH=swing`; docs/operations.md says on what.
READ, SHIPPED, CAME, STEP, WRITTEN = 1.4e-6, 0.15e-6, 0.03e-6, 4e-9, 1.8e-6
TERMS_A_SQUARE = 1.7
REAL_EDGE, SYNTHETIC_EDGE, BLOCK_BYTES = 4, 12, 128 * 2**20


def estimate(layout: str) -> Estimate:
    """The cost of the language models in a layout, of one GPU."""
    config = Config().with_settings({**SETTINGS, "export.layout": layout})
    log = geometric_log(USERS, ITEMS, ITEMS_A_USER, TITLE_BYTES)
    works = tuple(work for stage in WORKS for work in works_of(stage, config, log, MODEL))
    return Estimate(log, MODEL, Hardware.of_config(config.cost), works)


def cost_of_models() -> str:
    """A table for each layout, work by work."""
    head = ("stage", "work", "rows", "tokens a row", "tokens", "operations", "GPU-hours")
    parts = []
    for layout in LAYOUTS:
        found, rows = estimate(layout), []
        for work in found.works:
            hours = found.hardware.device_hours(work.operations)
            counts = (short(work.prompts), number(work.tokens / work.prompts), short(work.tokens))
            rows.append((work.stage, work.name, *counts, short(work.operations), *_hours(hours)))
        total = sum(work.operations for work in found.works)
        sums = ("**all**", "", "", "", short(found.tokens), short(total))
        rows.append((*sums, *_hours(found.device_hours)))
        parts.append(f"Layout `{layout}`:\n\n" + _table((*head, *_on("GPUs", GPUS)), rows))
    return "\n\n".join(parts)


class SparkStage(NamedTuple):
    """What a stage writes, and its core-hours; None where models do the work."""

    stage: str
    what: str
    rows: float
    written: float
    core_hours: float | None


def spark_stages() -> tuple[SparkStage, ...]:
    """The stages that do not ask a model, and what all of them write."""
    config = Config()
    asked, negatives = config.export.positives_per_user, config.export.negatives_per_positive
    per_user, per_item = config.generate.per_user, config.generate.per_item
    labelled = USERS * asked * (1 + negatives)
    proposed, real = USERS * per_user, CLICKS
    fused, similar = real + proposed, ITEMS * config.index.size

    def stage(name: str, hours: str, **rows: float) -> SparkStage:
        written = sum(number * BYTES[table] for table, number in rows.items())
        total = sum(rows.values())
        cores = MICROSECONDS[hours] * total / 3600e6 if hours in MICROSECONDS else None
        return SparkStage(name, ", ".join(f"`{table}`" for table in rows), total, written, cores)

    swing, shipped = swing_hours(per_user)
    i2i = stage("i2i, Swing", "", item_similarity=similar)
    return (
        stage("export", "export", sft_generator=USERS, sft_discriminator=labelled),
        SparkStage("sft", "both models, bf16", 2, 2 * 2 * MODEL.matrices, None),
        stage("generate", "", candidates=proposed, item_candidates=ITEMS * per_item),
        stage("discriminate", "", scored=proposed + real),
        stage("fuse", "fuse", fused=fused),
        i2i._replace(core_hours=sum(swing.values())),
        SparkStage("i2i, Swing", "shipped to item blocks", squares_of(per_user), shipped, None),
        stage("index", "index", item_index=ITEMS),
    )


def squares_of(synthetic: float) -> float:
    """Sum over the users of their items, squared, with so many synthetic ones for each: the edges
    that go to item blocks, where a user touches nearly as many of them as there are items.
    """
    return SQUARES + 2 * synthetic * CLICKS + USERS * synthetic**2


def swing_hours(synthetic: float, neighbors: int = 100) -> tuple[dict[str, float], float]:
    """Core-hours of Swing by step, and the bytes that it ships to item blocks, with so many
    synthetic rows a user; the formulas of docs/operations.md.
    """
    edges, squares = CLICKS + USERS * synthetic, squares_of(synthetic)
    shipped_synthetic = synthetic * edges
    shipped = REAL_EDGE * (squares - shipped_synthetic) + SYNTHETIC_EDGE * shipped_synthetic
    seconds = {
        "reading": READ * edges,
        "shipping": SHIPPED * squares,
        "edges that come": CAME * squares,
        "terms": STEP * (2 * squares + 4 * TERMS_A_SQUARE * squares),
        "ids and files": WRITTEN * neighbors * ITEMS,
    }
    return {name: value / 3600 for name, value in seconds.items()}, shipped


def cost_of_spark() -> str:
    """A table of what the stages write, and their hours on the cores beside the GPUs."""
    rows = []
    for one in spark_stages():
        hours = ("", "", "", "") if one.core_hours is None else _hours(one.core_hours, CORES_A_GPU)
        rows.append((one.stage, one.what, short(one.rows), f"{short(one.written)}B", *hours))
    cores = [CORES_A_GPU * gpus for gpus in GPUS]
    head = ("stage", "what", "rows", "bytes", "core-hours", *_on("cores", cores))
    return _table(head, rows)


class Held(NamedTuple):
    """What one process holds, and how much there is for it."""

    what: str
    rule: str
    held: float
    limit: float


GIGA = 1e9
HELD = (
    Held("a rank of fine-tuning: all examples", "5 kB a user", 5e3 * USERS, 125 * GIGA),
    Held("a rank of fine-tuning: the catalogue", "275 bytes an item", 275 * ITEMS, 125 * GIGA),
    Held("rank 0: basis of the text features", "1,024 bytes an item", 1024 * ITEMS, 1000 * GIGA),
    Held("a worker of generate: vocabulary and index", "141 bytes an item", 141 * ITEMS, 60 * GIGA),
    Held("a worker of i2i: arrays by item", "26 bytes an item", 26 * ITEMS, 60 * GIGA),
    Held("the driver of i2i", "52 bytes an item", 52 * ITEMS, 60 * GIGA),
    Held(
        "a GPU that trains all weights, one of one",
        "16 bytes a parameter",
        16 * MODEL.matrices,
        80 * GIGA,
    ),
    Held(
        "a GPU that trains all weights, one of eight",
        "2 + 14 / 8 bytes a parameter",
        (2 + 14 / 8) * MODEL.matrices,
        80 * GIGA,
    ),
)
"""Bytes a user and an item measured, those of a parameter for bf16 weights, gradients and AdamW
under ZeRO-2; limits assumed: hosts of 1,000 GB with eight GPUs of 80 GB, eight ranks, sixteen
workers.
"""


def cost_of_processes() -> str:
    """A table of what one process holds, what is nearest to its limit first."""
    rows = [
        (one.what, one.rule, f"{short(one.held)}B", f"{short(one.limit)}B", f"{share:.0%}")
        for one in HELD
        for share in [one.held / one.limit]
    ]
    rows.sort(key=lambda row: -float(row[-1].rstrip("%")))
    return _table(("what one process holds", "rule", "holds", "has, assumed", "share"), rows)


def _hours(device_hours: float, each: int = 1) -> tuple[str, ...]:
    return (number(device_hours), *(number(device_hours / (each * gpus)) for gpus in GPUS))


def _on(devices: str, numbers: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"hours on {one:,} {devices}" for one in numbers)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


GENERATED: dict[str, Callable[[], str]] = {
    function.__name__: function for function in (cost_of_models, cost_of_spark, cost_of_processes)
}
"""The tables of the page, by the names of their marks."""
