"""Many runs of a project and one table at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i_spark.base.extras import optional_imports
from llm_i2i_spark.project.lake_access import LakeAccess

if TYPE_CHECKING:
    from llm_i2i_spark.experiments.tuning.result import TuningResult
    from llm_i2i_spark.experiments.tuning.trial import Trial


class Experiments(LakeAccess):
    """Searches over the settings of a project."""

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
        on the validation fold. Trials run in a lake of their own, `tuning` below `lake.root`: the
        project's tables stay as they are. What does not depend on what is searched is made once.
        An interrupted search goes on where it was; another log, other options or another space
        begin a new study.

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
