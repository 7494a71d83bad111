"""Runs of a project in trackers that others keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_i2i_spark.base.extras import optional_imports
from llm_i2i_spark.project.lake_access import LakeAccess

if TYPE_CHECKING:
    from llm_i2i_spark.project.results import ProjectRun


class Tracking(LakeAccess):
    """Logging a run into MLflow."""

    @optional_imports()
    def log_to_mlflow(self, run: ProjectRun) -> str:
        """Log a run into the active MLflow run, or into a new one of the active experiment.

        Parameters are the options that differ from their defaults; metrics the figures of every
        system, over all users and the long tail, and the seconds of the stages; dataset inputs the
        Delta versions that were read and written; models the fine-tuned checkpoints, by path and
        digest; artifacts the report, `summary.json` and all options. Where it goes is MLflow's
        own affair: `mlflow.set_tracking_uri`, `MLFLOW_TRACKING_URI`, `MLFLOW_EXPERIMENT_NAME`.

        Args:
            run: what `run` gave back.

        Returns:
            The id of the MLflow run.

        Raises:
            MissingDependencyError: MLflow is not installed; the message says how it is.

        Examples:
            >>> project.log_to_mlflow(project.run())  # doctest: +SKIP
        """
        from llm_i2i_spark.pipeline.mlflow_tracking import log_run

        return log_run(self.lake, self.config, run.stages, run.metrics, run.summary)
