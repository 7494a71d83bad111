"""Many runs of a project and one table at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from llm_i2i_spark.base.extras import optional_imports
from llm_i2i_spark.base.variants import LLM_I2I
from llm_i2i_spark.project.lake_access import LakeAccess

if TYPE_CHECKING:
    from llm_i2i_spark.experiments.arms import ArmProject
    from llm_i2i_spark.experiments.reproduction.result import Reproduction
    from llm_i2i_spark.experiments.sweeps.result import Sweep
    from llm_i2i_spark.experiments.tuning.result import TuningResult
    from llm_i2i_spark.experiments.tuning.trial import Trial


class Experiments(LakeAccess):
    """Searches for better settings, sweeps over an option, and the tables of the paper."""

    @optional_imports()
    def tune(
        self,
        metric: str,
        space: Mapping[str, Any] | str | Path | None = None,
        variant: str = "llm_i2i",
        backbone: str | None = None,
        trials: int = 20,
        on_trial: Callable[[Trial], None] | None = None,
    ) -> TuningResult:
        """Search for better settings of a variant and backbone, on the validation fold alone.

        The first trial has the settings of this project, so the result is never worse than those
        on the validation fold. Trials run in the lake of the project's experiments, `experiments`
        below `lake.root`: its own tables stay as they are. What does not depend on what is searched
        is made once. An interrupted search goes on where it was; another log, other options or
        another space begin a new study.

        Args:
            metric: of the ranking, such as `ndcg@10` or `recall@20`, with a slice of the items
                where it is wanted: `recall@10/long_tail`.
            space: option -> values, or a YAML file of that: `(low, high)` or `"low:high"`,
                `(low, high, "log")` or `"low:high:log"`, a longer list, a set or `"a,b,c"` for
                single values; a parameter of the backbone may go without its section (`swing.b`).
                None for what is searched of the backbone by default.
            variant: what the indexes are made from.
            backbone: the item-to-item model; None for `i2i.backbone`.
            trials: how many there shall be in all, those of earlier calls counted.
            on_trial: called with each trial, when it is finished and kept.

        Raises:
            UserError: a metric, an option or a range does not fit, the log has no validation fold,
                or Optuna is not installed.
            StageError: a stage failed on data or in a worker; the same call goes on from there.

        Examples:
            >>> project.tune("ndcg@10", {"swing.b": (0, 1)}, variant="real")  # doctest: +SKIP
        """
        from llm_i2i_spark.experiments.tuning.tune import tune

        return tune(self, metric, space, variant, backbone, trials, on_trial)

    @optional_imports()
    def sweep(
        self: ArmProject,
        key: str | None = None,
        values: Sequence[Any] = (),
        *,
        preset: str | None = None,
        metric: str = "recall@10",
        variant: str = LLM_I2I.name,
        backbone: str | None = None,
        target: Literal["valid", "test"] = "valid",
    ) -> Sweep:
        """One evaluation a value of an option, for all items and the long tail, with intervals.

        Sweeps run in the lake of the project's experiments, `experiments` below `lake.root`: its
        own tables stay as they are. What the values share is made once, and what was evaluated
        before is found by its fingerprint, so that a call that was stopped goes on when it is given
        again.

        Args:
            key: of the option, such as `sft.alpha`; not with a preset.
            values: of the option.
            preset: a name of `experiments.sweeps.presets.PRESETS` in place of an option.
            metric: a ranking metric.
            variant: what the index is made from; it is compared with `real`.
            backbone: the item-to-item model; None for `i2i.backbone`.
            target: `valid` evaluates on the validation fold with protocol strict, so that nothing
                is chosen on what is tested; `test` on the test fold, with the project's protocol.

        Raises:
            UserError: a name is unknown, a value does not fit, or nothing is held out.
            StageError: a stage failed.

        Examples:
            >>> project.sweep("sft.alpha", [1, 4])  # doctest: +SKIP
            >>> project.sweep(preset="confidence_bands")  # doctest: +SKIP
        """
        from llm_i2i_spark.experiments.sweeps.presets import choose_points
        from llm_i2i_spark.experiments.sweeps.sweep import run_sweep

        points = choose_points(key, values, preset)
        return run_sweep(self, points, metric, variant, backbone, target)

    @optional_imports()
    def reproduce(
        self: ArmProject,
        tables: Sequence[int] = (),
        figures: Sequence[int] = (),
        *,
        data: str = "log",
        others: Mapping[str, ArmProject] | None = None,
        seeds: Sequence[int] = (),
    ) -> Reproduction:
        """Tables and figures of the paper, made on this log and others, beside the published ones.

        What is there already is found by its fingerprint. All is evaluated on the test fold, and
        nothing is chosen by it.

        Args:
            tables: of 2, 3, 4 and 5.
            figures: 5.
            data: name of the data set of this project: `beauty`, `sports` and `toys` stand beside
                their own published columns, any other name beside that of another data set.
            others: further data sets, a project with a lake of its own each, by name.
            seeds: what changes with the seed is made for each; empty for the project's.

        Raises:
            UserError: a table or figure is unknown, or nothing is held out.
            StageError: a stage failed.

        Examples:
            >>> project.reproduce([5], data="toys", seeds=[42, 43, 44])  # doctest: +SKIP
        """
        from llm_i2i_spark.experiments.reproduction.reproduce import Wanted, reproduce

        wanted = Wanted(tuple(tables), tuple(figures), tuple(seeds))
        return reproduce({data: self, **(others or {})}, wanted)
