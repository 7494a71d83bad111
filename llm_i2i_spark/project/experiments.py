"""Many runs of a project and one table at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from llm_i2i_spark.base.extras import optional_imports
from llm_i2i_spark.base.variants import LLM_I2I
from llm_i2i_spark.project.lake_access import LakeAccess

if TYPE_CHECKING:
    from llm_i2i_spark.experiments.arms import ArmProject
    from llm_i2i_spark.experiments.reproduction.result import Reproduction
    from llm_i2i_spark.experiments.sweeps.result import Sweep


class Experiments(LakeAccess):
    """Sweeps over an option, and the tables of the paper."""

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

        Sweeps run in a lake of their own, `sweeps` below `lake.root`: the project's tables stay as
        they are. What the values share is made once, and what was evaluated before is found by its
        fingerprint, so that a call that was stopped goes on when it is given again.

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
