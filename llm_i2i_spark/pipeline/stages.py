"""The order of the stages. The only file that knows it."""

from __future__ import annotations

from collections.abc import Sequence

from llm_i2i_spark.backbones import find_backbone
from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.stage import Stage
from llm_i2i_spark.base.variants import Variant
from llm_i2i_spark.combine.stage import STAGE as COMBINE
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.discriminate.stage import STAGE as DISCRIMINATE
from llm_i2i_spark.embed.stage import STAGE as EMBED
from llm_i2i_spark.encode.stage import STAGE as ENCODE
from llm_i2i_spark.evaluate.stage import STAGE as EVALUATE
from llm_i2i_spark.export.stage import STAGE as EXPORT
from llm_i2i_spark.fuse.stage import STAGE as FUSE
from llm_i2i_spark.generate.stage import STAGE as GENERATE
from llm_i2i_spark.i2i.stage import STAGE as I2I
from llm_i2i_spark.index.stage import STAGE as INDEX
from llm_i2i_spark.ingest.stage import STAGE as INGEST
from llm_i2i_spark.retrieve.stage import STAGE as RETRIEVE
from llm_i2i_spark.sft.stage import STAGE as SFT

STAGES: tuple[Stage, ...] = (
    INGEST,
    ENCODE,
    EXPORT,
    SFT,
    RETRIEVE,
    GENERATE,
    DISCRIMINATE,
    FUSE,
    COMBINE,
    EMBED,
    I2I,
    INDEX,
    EVALUATE,
)
FOR_BACKBONES: tuple[Stage, ...] = (ENCODE, COMBINE, EMBED)
"""Stages whose tables only some backbones read."""
STAGE_NAMES = tuple(stage.name for stage in STAGES)


def model_tables(variant: Variant, backbone: str) -> set[str]:
    """The tables of the model stages that a system is made from, directly or not."""
    if not variant.needs_models:
        return set()
    needed = {*variant.fusion.reads, *find_backbone(backbone).reads}
    of_models = [stage for stage in STAGES if stage.scope == ("branch",)]
    for stage in reversed(of_models):
        if needed & set(stage.writes):
            needed |= set(stage.reads)
    return {table for stage in of_models for table in stage.writes if table in needed}


def stages_for(
    config: Config,
    systems: Sequence[tuple[Variant, str]],
    first: str | None = None,
    last: str | None = None,
) -> tuple[Stage, ...]:
    """The stages that these variants and backbones need, in order, from `first` to `last` (both
    included).

    Raises:
        ConfigError: a name is no stage, or the range is empty.
    """
    for name in (first, last):
        if name is not None and name not in STAGE_NAMES:
            raise ConfigError(f"There is no stage {name}; the stages are {', '.join(STAGE_NAMES)}.")
    variants = list(dict.fromkeys(variant.name for variant, _ in systems))
    of_models = {table for system in systems for table in model_tables(*system)}
    evaluated = [variant for variant, _ in systems if not variant.served]
    needed = [one for one in STAGES if one.scope != ("branch",) or of_models & set(one.writes)]
    read = {table for _, name in systems for table in find_backbone(name).reads}
    needed = [one for one in needed if one not in FOR_BACKBONES or read & set(one.writes)]
    if config.split.holdout == "none" or not evaluated:
        needed = [stage for stage in needed if stage is not EVALUATE]
    start = STAGE_NAMES.index(first) if first else 0
    end = STAGE_NAMES.index(last) if last else len(STAGES) - 1
    chosen = tuple(stage for stage in needed if start <= STAGE_NAMES.index(stage.name) <= end)
    if not chosen:
        names = ",".join(variants)
        raise ConfigError(
            f"Nothing lies between {first or STAGE_NAMES[0]} and {last or STAGE_NAMES[-1]} for"
            f" --variants {names}."
        )
    return chosen
