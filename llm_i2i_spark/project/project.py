"""The front door: a project is a lake of tables and everything that can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from llm_i2i_spark.base.extras import optional_imports
from llm_i2i_spark.base.run_record import new_run_id
from llm_i2i_spark.base.variants import DEFAULT_VARIANTS, find_variants
from llm_i2i_spark.lake.location import local_root
from llm_i2i_spark.project.audit_access import AuditAccess
from llm_i2i_spark.project.experiments import Experiments
from llm_i2i_spark.project.index_access import IndexAccess
from llm_i2i_spark.project.results import ProjectRun, ServedIndex
from llm_i2i_spark.project.tracking import Tracking
from llm_i2i_spark.project.user_access import UserAccess
from llm_i2i_spark.project.user_erasure import UserErasure

if TYPE_CHECKING:
    from llm_i2i_spark.evaluate.compare import Comparison
    from llm_i2i_spark.online.replay import Replay
    from llm_i2i_spark.pipeline.pinned_inputs import PinnedInputs
    from llm_i2i_spark.pipeline.plan import Plan
    from llm_i2i_spark.pipeline.planner import System
    from llm_i2i_spark.pipeline.runner import StageOutcome


class Project(IndexAccess, UserAccess, AuditAccess, UserErasure, Experiments, Tracking):
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
        return self._plan(self._inputs(), variants, backbones, first, last, force)

    @optional_imports()
    def run(
        self,
        variants: Sequence[str] = DEFAULT_VARIANTS,
        backbones: Sequence[str] | None = None,
        first: str | None = None,
        last: str | None = None,
        force: bool = False,
        on_stage: Callable[[StageOutcome], None] | None = None,
        leave_summary: bool = False,
    ) -> ProjectRun:
        """Make what these variants and backbones need; what is up to date is left alone.

        Results of other variants and backbones stay as they are. The raw tables are read in the
        state in which the run finds them when it begins. Where another run is at work in a local
        lake, this one waits for it.

        Args:
            variants: what indexes are made from.
            backbones: the item-to-item models; None for `i2i.backbone`.
            first: first stage to look at.
            last: last stage to run.
            force: run also what is up to date.
            on_stage: called with the outcome of each stage, when its tables are committed or were
                found up to date: to show or record how far the run is.
            leave_summary: write `summary.json` under the root of a local lake at the end.

        Raises:
            UserError: a mistake that the user can mend.
            StageError: a stage failed on data or in a worker.
        """
        from llm_i2i_spark.pipeline.stages import stages_for
        from llm_i2i_spark.pipeline.summary import write_summary

        # A mistake is told now, before another run is waited for.
        stages_for(self._config, self._chosen(variants, backbones), first, last)
        root = local_root(self._config.lake)
        stages = "".join(
            f" {key} {name}" for key, name in (("--from", first), ("--to", last)) if name
        )
        with self.lock(f"run --variants {','.join(variants)}{stages}"):
            plan = self._plan(self._inputs(), variants, backbones, first, last, force)
            run = self._run(plan, variants, backbones, on_stage)
            if leave_summary and root is not None:
                write_summary(root, run.summary)
            return run

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

    @optional_imports()
    def replay(
        self,
        variants: Sequence[str] | None = None,
        backbones: Sequence[str] | None = None,
        baseline: str | tuple[str, str] | None = None,
        k: int | None = None,
        events: Sequence[str] | None = None,
    ) -> Replay:
        """RN and L2P that the lookups would have had, from the held-out interactions.

        `rn` is the mean number of items that a user's lookup returns, `l2p` the share of the users
        to whom it returns anything, `l2p_item` the share to whom it returns the held-out item;
        `online.replay` says how they stand to the measures of an A/B test.

        Args:
            variants: those to replay; None for all that the lake holds. Served indexes have seen
                what is held out and are left out.
            backbones: those to replay; None for all that the lake holds.
            baseline: what the differences are over, as in `compare`.
            k: items that a lookup returns at most; None for all that it retrieves.
            events: values of the log's `event` that are purchases: of the held-out interactions
                only these count; None for all.

        Raises:
            UserError: the lake holds none of these, or nothing is held out.
        """
        from llm_i2i_spark.evaluate.settings import settings_of
        from llm_i2i_spark.online.replay import replay_lookups
        from llm_i2i_spark.pipeline.compare import baseline_pair, evaluated_systems

        chosen = tuple(baseline.split("/", 1)) if isinstance(baseline, str) else baseline
        settings = settings_of(self.config)
        systems = evaluated_systems(self.lake, variants, backbones)
        return replay_lookups(
            self.lake.read("item_index"),
            self.lake.read("interactions"),
            systems,
            settings,
            self.config.index.size,
            baseline_pair(chosen, systems),
            k,
            events,
        )

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
        names = [variant.as_served().name for variant in find_variants(variants)]
        with self.lock("serve-index"):
            inputs = self._inputs()
            plan = self._plan(inputs, variants, backbones)
            evaluated = self._run(plan, variants, backbones)
            plan = self._plan(inputs, names, backbones, last="index")
            return ServedIndex(evaluated, self._run(plan, names, backbones))

    def _backbones(self, names: Sequence[str] | None) -> tuple[str, ...]:
        return tuple(dict.fromkeys(names or (self._config.i2i.backbone,)))

    def _chosen(self, variants: Sequence[str], backbones: Sequence[str] | None) -> list[System]:
        """The systems, by backbone."""
        found = find_variants(variants)
        return [(variant, name) for name in self._backbones(backbones) for variant in found]

    def _inputs(self) -> PinnedInputs:
        """What lies outside the lake, looked at when it is first asked for, and not again."""
        from llm_i2i_spark.pipeline.pinned_inputs import PinnedInputs

        return PinnedInputs(lambda: self.lake.spark)

    def _plan(
        self,
        inputs: PinnedInputs,
        variants: Sequence[str],
        backbones: Sequence[str] | None,
        first: str | None = None,
        last: str | None = None,
        force: bool = False,
    ) -> Plan:
        from llm_i2i_spark.pipeline.planner import make_plan
        from llm_i2i_spark.pipeline.stages import stages_for

        systems = self._chosen(variants, backbones)
        stages = stages_for(self.config, systems, first, last)
        return make_plan(self.histories, self.config, systems, stages, inputs, force)

    def _run(
        self,
        plan: Plan,
        variants: Sequence[str],
        backbones: Sequence[str] | None,
        on_stage: Callable[[StageOutcome], None] | None = None,
    ) -> ProjectRun:
        from llm_i2i_spark.lake.leftovers import remove_leftovers
        from llm_i2i_spark.lake.unfinished_work import remove_unfinished_work
        from llm_i2i_spark.pipeline.runner import run_plan, skip_plan

        root = local_root(self._config.lake)
        if root is not None:
            remove_leftovers(root)
            remove_unfinished_work(root, plan.up_to_date_fingerprints)
        run_id, told = new_run_id(), on_stage or (lambda outcome: None)
        if plan.up_to_date and not self._keeps_versions_otherwise():
            outcomes = skip_plan(plan, told)
        else:
            from llm_i2i_spark.lake.retention import apply_retention

            apply_retention(self.lake, self._config.lake)
            outcomes = run_plan(self.lake, plan, run_id, told)
        return ProjectRun.of(self, run_id, variants, self._backbones(backbones), outcomes)

    def _keeps_versions_otherwise(self) -> bool:
        """Whether a table of a local lake was made with another `lake.retention_days`."""
        from llm_i2i_spark.lake.delta_rs import DeltaRsLake

        is_local = local_root(self._config.lake) is not None
        return is_local and DeltaRsLake(self._config.lake).retention_differs()
