"""The front door: a project is a lake of tables and everything that can be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llm_i2i_spark.base.extras import optional_imports
from llm_i2i_spark.base.run_record import new_run_id
from llm_i2i_spark.base.variants import DEFAULT_VARIANTS, find_variants
from llm_i2i_spark.project.index_access import IndexAccess
from llm_i2i_spark.project.results import ProjectRun, ServedIndex

if TYPE_CHECKING:
    from llm_i2i_spark.evaluate.compare import Comparison
    from llm_i2i_spark.evaluate.evaluation import Evaluation
    from llm_i2i_spark.pipeline.plan import Plan
    from llm_i2i_spark.pipeline.planner import System


class Project(IndexAccess):
    """A click log, its catalogue, and all tables that are made from them.

    Args:
        root: folder or URI of the tables.
        interactions: the click log: a path, a table name, or a DataFrame (Spark or pandas), which
            is written once as a table, so that it has a version.
        items: the catalogue, likewise; None without one.
        schema: catalog.schema in which the tables are registered.
        settings: further options by dotted key, such as `{"sft.alpha": 2}`.
        config: a whole configuration, below the other arguments.

    Raises:
        UserError: an option is unknown or does not fit, or nothing says where the tables go.

    Examples:
        >>> project = Project("my_lake", interactions=clicks, items=catalogue)  # doctest: +SKIP
        >>> project.run(variants=("real", "llm_i2i"))  # doctest: +SKIP
    """

    @optional_imports()
    def explain(
        self,
        variants: Sequence[str] = DEFAULT_VARIANTS,
        backbones: Sequence[str] | None = None,
        first: str | None = None,
        last: str | None = None,
        force: bool = False,
    ) -> Plan:
        """What `run` with the same arguments would do, and why, before anything runs.

        Args:
            variants: what indexes are made from.
            backbones: the item-to-item models; None for `i2i.backbone`.
            first: first stage to look at.
            last: last stage to look at.
            force: look at everything as if it had to be made.

        Raises:
            UserError: a name is unknown, or a table that is needed is not there.
        """
        from llm_i2i_spark.pipeline.stages import stages_for

        chosen = find_variants(variants)
        systems = [(variant, name) for name in self._backbones(backbones) for variant in chosen]
        stages = stages_for(self.config, chosen, first, last)
        return self._plan(systems, [stage.name for stage in stages], force)

    def run(
        self,
        variants: Sequence[str] = DEFAULT_VARIANTS,
        backbones: Sequence[str] | None = None,
        first: str | None = None,
        last: str | None = None,
        force: bool = False,
    ) -> ProjectRun:
        """Make what these variants and backbones need; what is up to date is left alone.

        Results of other variants and backbones stay as they are.

        Args:
            variants: what indexes are made from.
            backbones: the item-to-item models; None for `i2i.backbone`.
            first: first stage to look at.
            last: last stage to run.
            force: run also what is up to date.

        Raises:
            UserError: a mistake that the user can mend.
            StageError: a stage failed on data or in a worker.
        """
        plan = self.explain(variants, backbones, first, last, force)
        return self._run(plan, variants, self._backbones(backbones))

    @optional_imports()
    def compare(
        self,
        variants: Sequence[str] | None = None,
        backbones: Sequence[str] | None = None,
        baseline: str | tuple[str, str] | None = None,
    ) -> Comparison:
        """All systems of the lake side by side, on the same users, with intervals and paired tests.

        Args:
            variants: those to compare; None for all that the lake holds. Served indexes have seen
                what is held out and are left out.
            backbones: those to compare; None for all that the lake holds.
            baseline: what the gains are over, as (variant, backbone) or as text `variant/backbone`;
                None for `real`.

        Raises:
            UserError: the lake holds none of these, or nothing is held out.
        """
        from llm_i2i_spark.pipeline.compare import compare_systems_of

        chosen = tuple(baseline.split("/", 1)) if isinstance(baseline, str) else baseline
        return compare_systems_of(self.lake, self.config, variants, backbones, chosen)

    def evaluate_index(self, path: str | Path, name: str | None = None) -> Evaluation:
        """The evaluation kit on an index that anyone made, against the held-out interactions here.

        Args:
            path: Parquet, CSV, JSON lines or a Delta folder with the columns item_id, rank,
                neighbor_id, score; or what `index-export` writes.
            name: of the index in the result; None for the file's.

        Raises:
            UserError: the file is not there or not of that form, none of its ids is known, or
                nothing is held out.
        """
        with optional_imports():
            from llm_i2i_spark.evaluate.external_index import evaluate_external_index
            from llm_i2i_spark.evaluate.index_file import read_index_file, require_index_file

        require_index_file(str(path))
        frame = read_index_file(self.lake.spark, str(path))
        return evaluate_external_index(self.lake, self.config, frame, name or Path(path).stem)

    def serve(
        self,
        variants: Sequence[str] = DEFAULT_VARIANTS,
        backbones: Sequence[str] | None = None,
    ) -> ServedIndex:
        """Evaluate on held-out items, then make the index to serve from all interactions.

        Fine-tuned models and settings are those of the evaluation; what is new is that candidates,
        fused interactions, similarities and lists also come from what was held out. The indexes
        stand in the lake as variants `<variant>_served`, beside the evaluated ones.

        Args:
            variants: what indexes are made from.
            backbones: the item-to-item models; None for `i2i.backbone`.
        """

        evaluated = self.run(variants, backbones)
        names = [variant.as_served().name for variant in find_variants(variants)]
        served = self.run(names, backbones, last="index")
        return ServedIndex(evaluated, served)

    def _backbones(self, names: Sequence[str] | None) -> tuple[str, ...]:
        return tuple(dict.fromkeys(names or (self._config.i2i.backbone,)))

    def _plan(self, systems: Sequence[System], stages: Sequence[str], force: bool) -> Plan:
        from llm_i2i_spark.pipeline.planner import make_plan
        from llm_i2i_spark.pipeline.stages import STAGES

        chosen = [stage for stage in STAGES if stage.name in stages]
        return make_plan(self.histories, self.config, systems, chosen, force)

    def _run(self, plan: Plan, variants: Sequence[str], backbones: Sequence[str]) -> ProjectRun:
        from llm_i2i_spark.pipeline.runner import run_plan, skip_plan

        run_id = new_run_id()
        outcomes = skip_plan(plan) if plan.up_to_date else run_plan(self.lake, plan, run_id)
        return ProjectRun.of(self, run_id, variants, backbones, outcomes)
