"""What a backbone is: parameters, what it needs to know of the interactions, and a function from
interactions to item similarities.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from llm_i2i_spark.base.extras import optional_imports
from llm_i2i_spark.base.sections.section import RUNTIME, Section

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from llm_i2i_spark.lake.frames import Frame


class EngineOptions(Section):
    """How similarities are computed. None of these options changes a row of the result."""

    engine: Literal["block", "reference"] = Field(
        "block",
        description="reference: as graph algebra, for small logs, where the backbone has it",
        json_schema_extra=RUNTIME,
    )
    partitioning: Literal["balanced", "community"] = Field(
        "balanced",
        description="which items share a block; community: those clicked together",
        json_schema_extra=RUNTIME,
    )
    blocks: int | None = Field(
        None,
        ge=1,
        le=65_000,
        description="item blocks; None: chosen from the degrees",
        json_schema_extra=RUNTIME,
    )
    block_bytes: int = Field(
        128 * 2**20,
        ge=2**10,
        description="bytes of users' rows that a block may hold; a worker needs some times as much",
        json_schema_extra=RUNTIME,
    )
    incremental: bool = Field(
        True,
        description=(
            "compute only rows that new clicks can have changed, where the last result allows it"
        ),
        json_schema_extra=RUNTIME,
    )


@dataclass(frozen=True)
class PreviousResult:
    """A result of the same backbone on an earlier state of the interactions.

    Attributes:
        changed_items: column `item_id`: the items, before and now, of all users whose interactions
            changed. No other row of the result can have changed.
        similarities: the result, columns as `Backbone.similar_items` returns them.
    """

    changed_items: DataFrame
    similarities: DataFrame


@dataclass(frozen=True)
class BackboneRun:
    """What a run adds to the parameters of a backbone.

    Attributes:
        seed: of all random choices.
        options: how to compute.
        title: names the run in messages; empty for the name of the backbone.
        stage: computes a DataFrame once and keeps the rows until the run ends; the second argument
            is the title of its progress bar. None: a frame is computed again at each use.
        tables: further tables of the lake, by name; those of `Backbone.reads` that there are.
        previous: for backbones with `is_incremental`; None to compute all rows.
        attributes: what the backbone puts down for the run record, such as the numbers of its plan.
    """

    seed: int = 42
    options: EngineOptions = field(default_factory=EngineOptions)
    title: str = ""
    stage: Callable[[DataFrame, str], DataFrame] | None = None
    tables: Mapping[str, DataFrame] = field(default_factory=dict)
    previous: PreviousResult | None = None
    attributes: dict[str, Any] = field(default_factory=dict)

    def staged(self, frame: DataFrame, what: str) -> DataFrame:
        """The same rows, computed once where the run has a way to keep them.

        Args:
            frame: what to compute.
            what: names it in the progress bar.
        """
        return self.stage(frame, f"{self.title}: {what}") if self.stage else frame


@dataclass(frozen=True)
class Training:
    """What a backbone learns from each user's last interaction.

    Attributes:
        mixture: the table `mixtures` without its scope.
        examples: of its combiner, the table `combiner_examples` without its scope.
    """

    mixture: DataFrame
    examples: DataFrame


class Backbone(Section):
    """A method that turns interactions into item similarities. Its fields are its parameters.

    A subclass is one file of this folder and one entry of `BACKBONES`. It imports Spark and its
    kernel inside functions, so that the configuration can be read without them.

    Attributes:
        name: in the column `backbone`, in `i2i.backbone`, and as the section `i2i.<name>`.
        reads: tables of the lake that it reads; `fused` holds the interactions.
        is_trained: whether it has a combiner that stage `combine` trains before it is used.
        index_normalize: what `index.normalize=auto` means for its similarities.
        index_popularity_exponent: that of the index, unless `index.popularity_exponent` is given.
        needs_order: whether the order of a user's interactions matters.
        needs_item_norms: whether a similarity depends on sums over all users of an item.
        is_incremental: whether an item's row depends on nothing but the interactions of its users,
            so that `BackboneRun.previous` can be used.
        is_symmetric: whether S(i, j) = S(j, i), as long as no cap and no top-k bites.
        has_reference_engine: whether `engine=reference` can compute it.
    """

    name: ClassVar[str]
    reads: ClassVar[tuple[str, ...]] = ("fused",)
    is_trained: ClassVar[bool] = False
    index_normalize: ClassVar[Literal["none", "row"]] = "row"
    index_popularity_exponent: ClassVar[float] = 0.25
    needs_order: ClassVar[bool] = False
    needs_item_norms: ClassVar[bool] = False
    is_incremental: ClassVar[bool] = False
    is_symmetric: ClassVar[bool] = True
    has_reference_engine: ClassVar[bool] = False

    def start_warmup(self) -> None:
        """Begin what takes long and needs no interactions, such as to compile a kernel; return at
        once.
        """

    def train(
        self, interactions: DataFrame, held_back: DataFrame, run: BackboneRun
    ) -> Training | None:
        """What stage `combine` writes for a backbone with `is_trained`; None where no user has an
        interaction to learn from.

        Args:
            interactions: as `compute` takes them.
            held_back: the same without each user's last interaction, made by models that have not
                seen it.
            run: as for `compute`.

        Raises:
            StageError: `held_back` has seen what it is to predict.
        """
        raise NotImplementedError(f"{self.name} is not trained")

    @abstractmethod
    def compute(self, interactions: DataFrame, run: BackboneRun) -> DataFrame:
        """The similarities of all items, without any check of the input.

        Args:
            interactions: columns of table `fused`, as far as they are used: `user_id, item_id`
                (strings, a pair stands once), `weight` in (0, 1], `source` (`real` or another
                word), `confidence` (null where it is not known), `position` (null for rows that are
                not real).
            run: seed, options, and where to keep intermediate results.

        Returns:
            `item_id, neighbor_id, similarity, support, synthetic_share`, as `similar_items`.
        """

    def similar_items(self, interactions: Frame, run: BackboneRun | None = None) -> DataFrame:
        """The most similar items of every item.

        Args:
            interactions: a Spark or pandas DataFrame with `user_id` and `item_id`, read as strings.
                Optional columns: `source` (`real`, or another word for rows that a model proposed;
                without it all rows are real), `weight` in (0, 1] (1 without it), `confidence` in
                [0, 1] of rows that a model proposed, `position` or `ts` for backbones that need the
                order of a user's clicks (with `ts` alone, equal times are ordered by item id). A
                repeated (user, item) counts once.
            run: seed, engine options, where to keep intermediate results; None for the defaults.

        Returns:
            Columns `item_id, neighbor_id, similarity (double, > 0), support (int, users behind
            the similarity), synthetic_share (double in [0, 1], share of the similarity that is gone
            without synthetic interactions)`; the last two are null where the backbone cannot tell.
            At most `top_k` rows an item. The rows are computed once, before this returns.

        Raises:
            UserError: a column is missing, an id is null, or a weight does not fit.
        """
        with optional_imports():
            from llm_i2i_spark.backbones.interactions import prepare, to_spark
            from llm_i2i_spark.backbones.staging import compute_once, kept_frames

        run = run or BackboneRun()
        rows = prepare(to_spark(interactions), self)
        with kept_frames() as keep:
            titled = replace(run, title=run.title or self.name, stage=run.stage or keep)
            return compute_once(self.compute(rows, titled), f"{titled.title}: similarities")

    def digest(self, seed: int) -> str:
        """Hex sha256 of all that a result depends on beside the interactions.

        Args:
            seed: of the run.
        """
        return hashlib.sha256(f"{self.name} {seed} {self.model_dump_json()}".encode()).hexdigest()
