"""Draws the figures of the documentation: `python docs/figures/make.py`.

Figures of measurements show the numbers of the README and of the page they stand on, nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))

from draw import AMBER, FAINT, GREY, TEAL, Drawing  # noqa: E402


def data_flow() -> Drawing:
    """The stages in their order, what each runs on, and the tables between them."""
    from llm_i2i_spark.base.contracts import TABLES

    runtimes = {
        "encode": ("scikit-learn or PyTorch on the driver", AMBER),
        "sft": ("PyTorch and DeepSpeed, a job of its own", AMBER),
        "retrieve": ("PyTorch inside Spark's workers", AMBER),
        "generate": ("PyTorch inside Spark's workers", AMBER),
        "discriminate": ("PyTorch inside Spark's workers", AMBER),
        "combine": ("Spark, then PyTorch in a job of its own", AMBER),
        "embed": ("PyTorch, a job of its own", AMBER),
        "i2i": ("Spark and compiled kernels", TEAL),
    }
    stages: dict[str, list[str]] = {}
    for table in TABLES.values():
        stages.setdefault(table.stage, []).append(table.name)
    row = 50
    drawing = Drawing(820, 56 + row * len(stages), "Stages and the tables between them")
    drawing.text(20, 24, "stage", GREY)
    drawing.text(210, 24, "tables it writes; every later stage may read them", GREY)
    drawing.text(575, 24, "runs on", GREY)
    for number, (stage, tables) in enumerate(stages.items()):
        y = 38 + row * number
        words, color = runtimes.get(stage, ("Spark", TEAL))
        drawing.box(20, y, 130, 32, color)
        drawing.text(85, y + 21, stage, color, bold=True, anchor="middle")
        drawing.arrow(150, y + 16, 202, y + 16)
        drawing.box(210, y, 345, 32, GREY)
        drawing.text(382, y + 21, " · ".join(tables), anchor="middle")
        drawing.text(575, y + 21, words, color)
        if number:
            drawing.arrow(85, y - row + 32, 85, y - 3)
    return drawing


GAINS = (
    ("all items, recall@10", (0.0881, 0.0845, 0.0919), (0.1164, 0.1124, 0.1208), "+32.1 %"),
    ("all items, ndcg@10", (0.0513, 0.0490, 0.0538), (0.0660, 0.0634, 0.0687), "+28.5 %"),
    ("long tail, recall@10", (0.0207, 0.0140, 0.0274), (0.0474, 0.0379, 0.0574), "+129.4 %"),
    ("long tail, ndcg@10", (0.0134, 0.0086, 0.0184), (0.0280, 0.0217, 0.0345), "+109.0 %"),
)
"""Metric, (value, low, high) of `real` and of `llm_i2i`, relative gain: the README's table."""


def gain() -> Drawing:
    """The metrics of the two systems with their intervals."""
    left, scale = 180, 4300
    drawing = Drawing(820, 310, "Metrics of real and llm_i2i on Amazon Beauty with 95 % intervals")
    for number, (label, real, mended, relative) in enumerate(GAINS):
        y = 50 + 56 * number
        drawing.text(left - 16, y + 14, label, anchor="end")
        for shift, (value, low, high), color in ((0, real, GREY), (20, mended, TEAL)):
            drawing.line(left + scale * low, y + shift, left + scale * high, y + shift, color, 3)
            drawing.dot(left + scale * value, y + shift, color)
            text = f"{value:.4f}"
            drawing.text(left + scale * high + 10, y + shift + 4, text, color, size=12)
        drawing.text(left + scale * mended[2] + 62, y + 24, relative, TEAL, bold=True, size=12)
    drawing.line(left, 30, left, 262)
    for tick in (0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12):
        drawing.line(left + scale * tick, 262, left + scale * tick, 267)
        drawing.text(left + scale * tick, 282, f"{tick:.2f}", GREY, anchor="middle", size=11)
    drawing.line(left, 262, left + scale * 0.12, 262)
    drawing.dot(left, 300, GREY)
    drawing.text(left + 12, 304, "real: Swing on the log as it is", size=12)
    drawing.dot(left + 250, 300, TEAL)
    drawing.text(left + 262, 304, "llm_i2i: the same Swing on the mended log", size=12)
    return drawing


COSTS = (
    ("reading, item ids, users' rows", 4),
    ("shipping rows to item blocks", 40),
    ("kernel, edges that come", 9),
    ("kernel, terms", 9),
    ("ids and files", 3),
)
"""Step of the co-occurrence engine and predicted core-hours for ten billion clicks."""


def cost() -> Drawing:
    """What the co-occurrence engine costs at ten billion clicks, by step."""
    left, scale = 230, 12
    drawing = Drawing(820, 260, "Predicted core-hours of a backbone at ten billion clicks")
    drawing.text(20, 24, "core-hours, predicted for ten billion clicks of 209 million users", GREY)
    for number, (label, hours) in enumerate(COSTS):
        y = 40 + 34 * number
        drawing.text(left - 14, y + 16, label, anchor="end")
        drawing.bar(left, y, scale * hours, 22, TEAL)
        drawing.text(left + scale * hours + 8, y + 16, str(hours))
    drawing.line(left, 34, left, 208)
    drawing.text(
        20,
        234,
        "The formulas are fitted to measured runs; the largest of them has 100 million clicks: "
        "259 s and 6.5 GB on two cores.",
        GREY,
        size=12,
    )
    return drawing


def lineage() -> Drawing:
    """What stands behind one neighbour of the index, table by table."""
    drawing = Drawing(820, 420, "What stands behind one neighbour of the index")

    def node(x: int, y: int, width: int, table: str, words: str, color: str) -> None:
        drawing.box(x, y, width, 46, color)
        drawing.text(x + 12, y + 19, table, color, bold=True)
        drawing.text(x + 12, y + 37, words, size=12)

    node(250, 20, 320, "item_index", "B stands in the list of A: score, rank", TEAL)
    drawing.arrow(410, 66, 410, 92)
    node(250, 96, 320, "item_similarity", "similarity, users behind it, synthetic share", TEAL)
    drawing.arrow(410, 142, 410, 168)
    node(250, 172, 320, "fused", "the users who have both, each with a row's source", TEAL)
    drawing.line(160, 232, 610, 232)
    drawing.line(410, 218, 410, 232)
    drawing.arrow(160, 232, 160, 246)
    drawing.arrow(610, 232, 610, 246)
    node(20, 250, 290, "interactions", "a real click: ts, position, event", GREY)
    node(440, 250, 350, "scored", "a synthetic row: p_yes, calibrated confidence", AMBER)
    drawing.arrow(160, 296, 160, 322)
    drawing.arrow(520, 296, 520, 322)
    drawing.arrow(720, 296, 720, 322)
    node(20, 326, 290, "the raw log", "digest of the files, or version of the table", GREY)
    node(370, 326, 220, "candidates", "rank, log_prob, prompt", AMBER)
    node(610, 326, 180, "checkpoints", "digest of the weights", AMBER)
    drawing.line(590, 349, 606, 349, FAINT)
    drawing.text(
        20,
        402,
        "Every arrow is followed at the version that the commit before it names, so later runs "
        "change nothing of it.",
        GREY,
        size=12,
    )
    return drawing


FIGURES: tuple[Callable[[], Drawing], ...] = (data_flow, gain, cost, lineage)


def main() -> None:
    """Write every figure beside this file."""
    for figure in FIGURES:
        (FOLDER / f"{figure.__name__}.svg").write_text(figure().svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
