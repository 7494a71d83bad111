"""Every option of a run, a section a stage, and digests of any part of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from llm_i2i_spark.backbones import BACKBONES, find_backbone
from llm_i2i_spark.base.json_digest import json_digest
from llm_i2i_spark.base.redaction import redact_value
from llm_i2i_spark.base.sections.cost import CostConfig
from llm_i2i_spark.base.sections.discriminate import DiscriminateConfig
from llm_i2i_spark.base.sections.evaluate import EvaluateConfig
from llm_i2i_spark.base.sections.export import ExportConfig, Layout
from llm_i2i_spark.base.sections.fuse import FuseConfig
from llm_i2i_spark.base.sections.generate import GenerateConfig
from llm_i2i_spark.base.sections.index import IndexConfig
from llm_i2i_spark.base.sections.ingest import IngestConfig
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.base.sections.retrieve import RetrieveConfig
from llm_i2i_spark.base.sections.section import Section, runtime_options
from llm_i2i_spark.base.sections.sft import SftConfig
from llm_i2i_spark.base.sections.spark import SparkConfig
from llm_i2i_spark.base.sections.split import SplitConfig
from llm_i2i_spark.config.i2i import I2iConfig

Fold = Literal["train", "valid", "test"]


class Config(Section):
    """Every option of a run."""

    seed: int = Field(
        42,
        ge=0,
        lt=2**32,
        description="of everything that is drawn at random; NumPy, scikit-learn, PyTorch and Spark "
        "all take it",
    )
    lake: LakeConfig = LakeConfig()
    spark: SparkConfig = SparkConfig()
    ingest: IngestConfig = IngestConfig()
    split: SplitConfig = SplitConfig()
    export: ExportConfig = ExportConfig()
    sft: SftConfig = SftConfig()
    retrieve: RetrieveConfig = RetrieveConfig()
    generate: GenerateConfig = GenerateConfig()
    discriminate: DiscriminateConfig = DiscriminateConfig()
    fuse: FuseConfig = FuseConfig()
    i2i: I2iConfig = I2iConfig()
    index: IndexConfig = IndexConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    cost: CostConfig = CostConfig()

    @model_validator(mode="after")
    def _check_together(self) -> Config:
        object.__setattr__(self, "i2i", self.i2i.with_top_k(self.index.size))
        object.__setattr__(self, "sft", self.sft.fit_to(self.layout))
        if (
            self.i2i.engine == "reference"
            and not find_backbone(self.i2i.backbone).has_reference_engine
        ):
            able = " and ".join(each.__name__ for each in BACKBONES if each.has_reference_engine)
            raise ValueError(
                f"i2i.engine=reference computes {able} alone; use i2i.engine=block for "
                f"{self.i2i.backbone}"
            )
        if self.evaluate.target == "valid" and self.split.protocol == "refit":
            raise ValueError(
                "evaluate.target=valid needs split.protocol=strict, since refit trains on the "
                "validation fold"
            )
        return self

    @property
    def layout(self) -> Layout:
        """What models read: prompts with titles, or item tokens alone."""
        layout = self.export.layout
        if layout == "auto":
            layout = "instruct" if self.sft.base_model else "sequence"
        return "sequence" if layout == "sequence" else "instruct"

    @property
    def model_folds(self) -> tuple[Fold, ...]:
        """The folds that every model of the run may see (LLMs and I2I models alike)."""
        if self.split.protocol == "all":
            return ("train", "valid", "test")
        if self.split.holdout in ("last_2", "time") and self.split.protocol == "refit":
            return ("train", "valid")
        return ("train",)

    @property
    def query_folds(self) -> tuple[Fold, ...]:
        """The folds a user's query is made of: all that lies before the target."""
        return ("train",) if self.evaluate.target == "valid" else ("train", "valid")

    @property
    def generator_history(self) -> int:
        """How many of a user's latest items the generator is shown: as many as in training."""
        export = self.export
        return export.sequence_length if self.layout == "sequence" else export.history_length

    @property
    def decode_digest(self) -> str:
        """Digest of what decides which items the generator is shown and how many it proposes."""
        return self.digest(
            "generate.per_user",
            "export.history_length",
            "export.sequence_length",
            "split.protocol",
            "split.holdout",
            "split.hold_back",
        )

    def settings(self, *sections: str) -> dict[str, Any]:
        """The options of some sections that can change a result, by dotted key, without secrets: a
        new password is no other result.

        Args:
            sections: names of sections or single keys such as `split.protocol`; without any, all
                (where the tables are and how Spark is set up cannot change a result).
        """
        values = self.model_dump(mode="json", by_alias=True)
        chosen = sections or tuple(name for name in values if name not in ("lake", "spark"))
        flat = {key: value for name in chosen for key, value in _flatten(name, _at(values, name))}
        return {
            key: redact_value(key, value) for key, value in flat.items() if key not in RUNTIME_KEYS
        }

    def without_secrets(self) -> Config:
        """The configuration as it may be shown, and as jobs without Spark get it: their results and
        digests are the same.
        """
        values = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return Config.model_validate(redact_value("", values))

    def digest(self, *sections: str) -> str:
        """Hex sha256 of `settings(*sections)`: equal settings, equal digest."""
        return json_digest(self.settings(*sections))

    def with_settings(self, overrides: Mapping[str, Any]) -> Config:
        """A copy with some options changed.

        Args:
            overrides: dotted key -> value.

        Raises:
            ValidationError: a key is unknown or a value does not fit.
        """
        if not overrides:
            return self
        values = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        for dotted, value in overrides.items():
            *path, last = dotted.split(".")
            inner = values
            for part in path:
                inner = inner.setdefault(part, {})
            inner[last] = value
        return Config.model_validate(values)


DICTIONARIES = frozenset(
    {"ingest.columns", "ingest.event_weights", "spark.conf", "cost.prices", "cost.teraflops"}
)
"""Options that are one value each, though they hold keys."""

RUNTIME_KEYS = frozenset(runtime_options(Config))
"""Options that can change time or memory, but no row of any table."""


def _at(values: Mapping[str, Any], dotted: str) -> Any:
    found: Any = values
    for part in dotted.split("."):
        found = found[part]
    return found


def _flatten(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and prefix not in DICTIONARIES:
        for key, inner in value.items():
            yield from _flatten(f"{prefix}.{key}", inner)
    else:
        yield prefix, value
