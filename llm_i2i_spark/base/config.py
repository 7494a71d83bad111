"""The configuration: one frozen model a section, named like the stage that reads it, and a digest of any part of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Variant = Literal["real", "llm_i2i", "no_generator", "no_discriminator", "no_threshold"]
Fold = Literal["train", "valid", "test"]


class Section(BaseModel):
    """A frozen group of options that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class LakeConfig(Section):
    """Where the Delta tables are: a folder or object-store prefix, optionally registered in a catalog schema."""

    root: str | None = Field(None, description="folder or URI that holds a folder a table; checkpoints and reports too")
    schema_name: str | None = Field(None, alias="schema", description="catalog.schema in which the tables are registered")
    retention_days: int = Field(90, ge=1, description="how far back time travel and audit must reach")


class SparkConfig(Section):
    """The local session. On a cluster the session that is already active is used and only `conf` is applied."""

    master: str = "local[*]"
    memory: str = Field("4g", description="driver heap of a local session")
    shuffle_partitions: int | None = Field(None, ge=1, description="tasks of a shuffle in a local session; None: twice the cores")
    short_jobs: bool = Field(False, description="a JVM that is quick to start and never reaches full speed: for jobs of a few minutes")
    delta_jar: str | None = Field(None, description="path of a local Delta jar, for machines without network")
    conf: dict[str, str] = Field(default_factory=dict, description="further Spark settings, as given")


class IngestConfig(Section):
    """The raw log and catalogue, how their columns map, and how users' histories are split."""

    interactions: str | None = None
    items: str | None = None
    format: Literal["auto", "parquet", "csv", "json", "delta", "amazon2014", "amazon2018", "amazon2023", "movielens"] = "auto"
    columns: dict[str, str] = Field(default_factory=dict, description="contract column -> the file's; items_item_id: the catalogue's id")
    holdout: Literal["none", "last_1", "last_2", "time"] = "last_2"
    holdout_share: float = Field(0.1, gt=0, lt=0.5, description="holdout=time: share of latest rows that becomes each held-out fold")
    repeats: Literal["last", "first"] = Field("last", description="which row of a repeated (user, item) stays")
    ties: Literal["given", "shuffled"] = Field("given", description="rows with equal ts: by pos, then item_id; or seeded random")
    min_ts: str = Field("1995-01-01", description="rows before this day are quarantined")
    max_ts: str = Field("2100-01-01", description="rows from this day on are quarantined")
    max_quarantine_share: float = Field(0.2, ge=0, le=1, description="more bad rows than this stop the run before it writes")
    max_title_chars: int = Field(10_000, ge=1, description="a longer title is quarantined")
    long_tail_share: float = Field(0.2, gt=0, lt=1, description="bottom share of the log's items, by count in the training fold")


class ExportConfig(Section):
    """What each model is shown."""

    history_length: int = Field(10, ge=1)
    layout: Literal["auto", "instruct", "sequence"] = Field("auto", description="auto: instruct with sft.base_model, sequence without")
    sequence_length: int = Field(50, ge=2, description="layout sequence: the latest items of a user that make one row")
    negatives: Literal["random", "generator"] = Field(
        "generator", description="generator: half of them are items the generator itself ranks high"
    )
    negatives_per_positive: int = Field(4, ge=1)
    positives_per_user: int = Field(3, ge=1, description="latest observed items of a user that become discriminator positives")
    calibration_share: float = Field(0.05, ge=0, lt=0.5, description="users whose last item is withheld, to calibrate confidence")


class DiscriminatorTraining(Section):
    """How the discriminator's fine-tuning differs from the generator's."""

    epochs: int = Field(4, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    batch_size: int = Field(128, ge=1, description="histories a step, over all ranks")


class SftConfig(Section):
    """Fine-tuning: the base model, or the shape of the embedded compact one, and the training loop."""

    base_model: str | None = Field(None, description="directory of a Hugging Face causal LM; None: a compact Llama trained from scratch")
    text_encoder: str | None = Field(None, description="directory of a sentence encoder; None: TF-IDF + SVD of the catalogue")
    text_dims: int = Field(256, ge=1)
    item_tokens: Literal["auto", "atomic", "codes"] = Field(
        "auto", description="one token an item, or a few; auto: codes above 200,000 items"
    )
    layers: int = Field(1, ge=1)
    hidden_size: int = Field(128, ge=8)
    heads: int = Field(4, ge=1)
    intermediate_size: int = Field(256, ge=8)
    dropout: float = Field(0.3, ge=0, lt=1)
    alpha: float = Field(4.0, ge=0, description="loss weight of long-tail targets")
    beta: float = Field(1.0, ge=0, description="loss weight of the other targets")
    epochs: int = Field(20, ge=1)
    learning_rate: float = Field(3e-3, gt=0)
    warmup_share: float = Field(0.05, ge=0, le=1)
    weight_decay: float = Field(0.01, ge=0)
    batch_size: int = Field(256, ge=1, description="examples a step, over all ranks and accumulation steps")
    accumulation_steps: int = Field(1, ge=1)
    max_length: int = Field(1024, ge=8, description="tokens of a packed row")
    sampled_negatives: int = Field(512, ge=0, description="items in the generator's training softmax beside the batch's own; 0: all items")
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    attention: Literal["auto", "flash_attention_2", "sdpa", "eager"] = "auto"
    deepspeed: str | None = Field(None, description="DeepSpeed JSON; None: the packaged ZeRO-2 file")
    processes: int = Field(1, ge=1, description="ranks on this machine; 1 on a CPU")
    checkpoint_every: int = Field(10, ge=1, description="epochs between resumable checkpoints")
    discriminator: DiscriminatorTraining = DiscriminatorTraining()


class GenerateConfig(Section):
    """How many interactions the generator proposes for a user, and how its tasks are cut."""

    per_user: int = Field(20, ge=1)
    batch_tokens: int = Field(16_384, ge=16)
    partitions: int = Field(8, ge=1, description="user buckets; fixed, so that results do not depend on the cluster's size")
    device: Literal["auto", "cpu", "cuda"] = "auto"


class DiscriminateConfig(Section):
    """What the discriminator scores."""

    score_real: bool = Field(True, description="also score the real interactions, so that fuse can drop or report them")
    batch_tokens: int = Field(16_384, ge=16)
    partitions: int = Field(8, ge=1)
    device: Literal["auto", "cpu", "cuda"] = "auto"


class FuseConfig(Section):
    """Which synthetic rows join the real ones, and with what weight."""

    mode: Literal["soft", "threshold"] = "soft"
    threshold: float = Field(0.012, ge=0, le=1, description="mode threshold: lowest calibrated confidence that is kept, with weight 1")
    scale: float = Field(0.05, gt=0, description="mode soft: weight = min(1, confidence / scale)")
    min_weight: float = Field(0.01, ge=0, le=1, description="mode soft: lighter rows are left out")
    drop_real_below: float = Field(0.0, ge=0, le=1, description="real rows with a lower p_yes are dropped; 0 keeps all")


CONVENTIONS: dict[str, dict[str, float]] = {
    "flink": {"a1": 15.0, "a2": 0.0, "b": 0.3},
    "alink": {"a1": 5.0, "a2": 1.0, "b": -0.35},
    "pai": {"a1": 5.0, "a2": 1.0, "b": -0.35},
    "farm": {"a1": 0.0, "a2": 0.0, "b": 0.5},
}
"""What other implementations of Swing take for a1, a2 and b by default, in the convention of `SwingConfig`."""


class SwingConfig(Section):
    """Swing's parameters: w_u = (a1 + sum of the user's edge weights)^-b, each user pair over (a2 + |common items|)."""

    convention: Literal["flink", "alink", "pai", "farm"] | None = Field(
        None, description="a1, a2 and b, as far as they are not given, by the defaults of another implementation"
    )
    a1: float = Field(0.0, ge=0)
    a2: float = Field(1.0, ge=0)
    b: float = Field(0.5)
    max_users_per_item: int | None = Field(
        None, ge=2, description="users that an item's own row sums over; hot items stay whole as neighbours"
    )
    max_items_per_user: int | None = Field(1000, ge=2, description="items of a user's list; both caps keep the lowest seeded hashes")

    @model_validator(mode="before")
    @classmethod
    def _fill_convention(cls, values: Any) -> Any:
        """Put the convention's numbers below those that are given."""
        if not isinstance(values, dict):
            return values
        return {**CONVENTIONS.get(str(values.get("convention")), {}), **values}


class Bm25Config(Section):
    """Backbone bm25, named and preset as `BM25Recommender` of the package implicit."""

    k1: float = Field(1.2, ge=0, description="saturation of a click's weight")
    b: float = Field(0.75, ge=0, le=1, description="how much a popular item takes from each of its clicks")


class I2iConfig(Section):
    """The backbone that turns interactions into item similarities."""

    backbone: Literal["swing", "item_knn", "bm25", "transitions"] = "swing"
    engine: Literal["block", "projection"] = Field("block", description="projection: Swing alone, as graph algebra, for small logs")
    swing: SwingConfig = SwingConfig()
    bm25: Bm25Config = Bm25Config()
    steps: int = Field(10, ge=1, description="backbone transitions: how many clicks ahead is looked")
    top_k: int = Field(400, ge=1, description="neighbours kept an item before the index re-ranks them; at least index.size")
    grouping: Literal["even", "community"] = Field("even", description="which items share a block; community: those clicked together")
    blocks: int | None = Field(None, ge=1, le=65_000, description="item blocks; None: chosen from the degrees")
    block_bytes: int = Field(128 * 2**20, ge=2**10, description="lists that a block may hold; a worker needs some times as much")
    incremental: bool = Field(True, description="compute only rows that new clicks can have changed, where the last result allows it")


class IndexConfig(Section):
    """The served index and how a lookup merges its lists."""

    size: int = Field(200, ge=1)
    normalize: Literal["none", "row"] = Field("row", description="row: scores over the row's Euclidean length")
    popularity_exponent: float = Field(0.25, ge=0, description="score * (clicks of the neighbour) ** -exponent")
    recent_items: int = Field(10, ge=1, description="latest clicks of a user whose lists are merged")
    decay: float = Field(0.8, gt=0, le=1, description="weight of a click relative to the next later one")


class EvaluateConfig(Section):
    """The evaluation protocol."""

    protocol: Literal["strict", "refit"] = Field("refit", description="strict: models see all but the last two; refit: all but the last")
    target: Literal["valid", "test"] = Field("test", description="valid: the second-to-last item is the target (for choosing settings)")
    ks: tuple[int, ...] = (5, 10, 20, 50, 100, 200)
    bootstrap: int = Field(1000, ge=10, description="resamples of users behind each interval")


class Config(Section):
    """Every option of a run."""

    seed: int = 42
    lake: LakeConfig = LakeConfig()
    spark: SparkConfig = SparkConfig()
    ingest: IngestConfig = IngestConfig()
    export: ExportConfig = ExportConfig()
    sft: SftConfig = SftConfig()
    generate: GenerateConfig = GenerateConfig()
    discriminate: DiscriminateConfig = DiscriminateConfig()
    fuse: FuseConfig = FuseConfig()
    i2i: I2iConfig = I2iConfig()
    index: IndexConfig = IndexConfig()
    evaluate: EvaluateConfig = EvaluateConfig()

    @model_validator(mode="after")
    def _check_together(self) -> Config:
        if self.i2i.top_k < self.index.size:
            object.__setattr__(self, "i2i", self.i2i.model_copy(update={"top_k": self.index.size}))
        if self.i2i.engine == "projection" and self.i2i.backbone != "swing":
            raise ValueError(f"i2i.engine=projection computes Swing alone; use i2i.engine=block for {self.i2i.backbone}")
        if self.evaluate.target == "valid" and self.evaluate.protocol == "refit":
            raise ValueError("evaluate.target=valid needs evaluate.protocol=strict, since refit trains on the validation fold")
        return self

    @property
    def layout(self) -> Literal["instruct", "sequence"]:
        """The layout of the fine-tuning examples, with `auto` resolved."""
        if self.export.layout != "auto":
            return self.export.layout
        return "instruct" if self.sft.base_model else "sequence"

    @property
    def model_folds(self) -> tuple[Fold, ...]:
        """The folds that every model of the run may see (LLMs and Swing alike)."""
        if self.ingest.holdout in ("last_2", "time") and self.evaluate.protocol == "refit":
            return ("train", "valid")
        return ("train",)

    @property
    def query_folds(self) -> tuple[Fold, ...]:
        """The folds a user's query is made of: all that lies before the target."""
        return ("train",) if self.evaluate.target == "valid" else ("train", "valid")

    @property
    def decode_digest(self) -> str:
        """Digest of the settings that decide what the generator is shown and how many items it proposes."""
        return self.digest("generate.per_user", "export.history_length", "evaluate.protocol", "ingest.holdout")

    def digest(self, *sections: str) -> str:
        """Hex sha256 of the given sections: equal settings, equal digest.

        Args:
            sections: names of sections or single keys such as `evaluate.protocol`; without any, all that can change a result
                (where the tables are and how Spark is set up cannot).
        """
        values = self.model_dump(mode="json", by_alias=True)
        chosen = {name: _at(values, name) for name in sections or values.keys() - {"lake", "spark"}}
        return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()


def _at(values: Mapping[str, Any], dotted: str) -> Any:
    found: Any = values
    for part in dotted.split("."):
        found = found[part]
    return found
