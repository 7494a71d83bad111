"""The rows of the paper's tables, and the arm that each is read from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.variants import LLM_I2I, REAL, find_variant
from llm_i2i_spark.experiments.arms import Arm
from llm_i2i_spark.experiments.sweeps.presets import PUBLISHED_MODE

TABLES = (2, 3, 4, 5)
FIGURES: Mapping[int, tuple[str, ...]] = {5: ("confidence_bands", "rows_per_user")}
"""The presets that each figure is made of."""
BACKBONES = {"bm25": "BM25", "bpr": "BPR", "youtube_dnn": "YoutubeDNN", "swing": "Swing"}
LLM_CF = "llm_cf"
ABLATIONS = ("no_generator", "no_long_tail_loss", "no_discriminator", "no_threshold")
ABLATION_TABLE = 5
MODES: Mapping[str, Mapping[str, Any]] = {
    "soft": {"fuse.mode": "soft", "fuse.score": "confidence"},
    "hard": PUBLISHED_MODE,
}
"""Ours: rows weigh as much as they are credible. The paper's: a click each, of confidence 1.0."""
PARTS = {"all": "all items", "long_tail": "long tail", "head": "other items"}


@dataclass(frozen=True)
class TableRow:
    """A row of a table.

    Attributes:
        title: as the paper calls it.
        variant: what its index is made from.
        backbone: the item-to-item model.
        part: kind of held-out items.
        mode: how synthetic rows are fused: soft, hard, or empty where there are none.
    """

    title: str
    variant: str
    backbone: str
    part: str = "all"
    mode: str = ""

    @property
    def key(self) -> str:
        """What the published table calls it."""
        return f"{self.backbone}/{self.variant}/{self.part}"

    @property
    def baseline_backbone(self) -> str:
        """The item-to-item model of that row: Swing's, where there is no such model in it."""
        return self.backbone if self.backbone in BACKBONES else "swing"

    @property
    def baseline(self) -> TableRow | None:
        """The row here that its gain is over; None for that row itself."""
        if self.variant == REAL.name:
            return None
        return replace(self, variant=REAL.name, backbone=self.baseline_backbone, mode="")

    @property
    def is_whole(self) -> bool:
        """Whether it is the method with all its parts, as this package fuses."""
        return (self.variant, self.backbone, self.mode) == (LLM_I2I.name, "swing", "soft")

    @property
    def is_ablation(self) -> bool:
        """Whether it is the method without one of its parts."""
        return self.variant in ABLATIONS or self.backbone not in BACKBONES

    def arm(self) -> Arm:
        """The arm that its figures are read from: of `real` that of the method beside it."""
        variant = LLM_I2I.name if self.variant == REAL.name else self.variant
        mode = self.mode or "soft"
        paired = self.backbone in BACKBONES
        name = f"{variant} on {self.backbone}, {mode}"
        return Arm(name, variant, self.backbone, MODES[mode], baseline=paired)


def rows_of(table: int) -> tuple[TableRow, ...]:
    """The rows of a table, in its order; the method once in each mode.

    Raises:
        ConfigError: there is no such table here.
    """
    makers = {2: _backbones, 3: _backbones, 4: _kinds_of_items, ABLATION_TABLE: _ablations}
    if table not in makers:
        raise ConfigError(
            f"There is no table {table} to reproduce; choose of {', '.join(map(str, TABLES))}."
            " Table 6 is an A/B test: `llm-i2i online` measures one, `llm-i2i replay` before it."
        )
    return tuple(makers[table](table))


def _backbones(table: int) -> Iterator[TableRow]:
    for backbone, title in BACKBONES.items():
        yield TableRow(title, REAL.name, backbone)
        if table == 2:
            yield TableRow(f"{title} + LLM-CF", LLM_CF, backbone, mode="soft")
        yield from _method(f"{title} + LLM-I2I", backbone)


def _kinds_of_items(table: int) -> Iterator[TableRow]:
    for part, words in PARTS.items():
        yield TableRow(f"Swing, {words}", REAL.name, "swing", part)
        yield from _method(f"+ LLM-I2I, {words}", "swing", part)


def _ablations(table: int) -> Iterator[TableRow]:
    yield from _method("LLM-I2I", "swing")
    yield TableRow("without all", REAL.name, "swing")
    for name in ABLATIONS:
        yield TableRow(find_variant(name).title, name, "swing", mode="soft")
    yield TableRow("without Swing", LLM_I2I.name, "generated", mode="soft")


def _method(title: str, backbone: str, part: str = "all") -> Iterator[TableRow]:
    for mode in MODES:
        yield TableRow(title, LLM_I2I.name, backbone, part, mode)
