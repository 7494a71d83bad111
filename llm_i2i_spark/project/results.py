"""What a run of a project gives back: its stages, metrics and report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from llm_i2i_spark.base.printed import Printed

if TYPE_CHECKING:
    from llm_i2i_spark.evaluate.metric_rows import MetricRow
    from llm_i2i_spark.pipeline.runner import StageOutcome
    from llm_i2i_spark.project.project import Project


@dataclass(frozen=True)
class ProjectRun(Printed):
    """The result of `Project.run`.

    Attributes:
        run_id: of the records of its commits.
        stages: an outcome a stage: seconds, whether it was up to date, versions and rows.
        metrics: the metric rows of the evaluation that holds for this run; empty without one.
        summary: what `summary.json` holds.
    """

    run_id: str
    stages: tuple[StageOutcome, ...]
    metrics: list[MetricRow]
    summary: dict[str, Any]

    @property
    def report(self) -> str | None:
        """Path of the HTML report; None where nothing was evaluated."""
        return self.summary.get("report")

    @classmethod
    def of(
        cls,
        project: Project,
        run_id: str,
        variants: Sequence[str],
        backbones: Sequence[str],
        outcomes: Sequence[StageOutcome],
    ) -> ProjectRun:
        """Gather what some outcomes left in the tables."""
        from llm_i2i_spark.pipeline.summary import evaluation_record, summarize

        record = evaluation_record(outcomes)
        metrics = project.metric_rows(record.run_id) if record else []
        summary = summarize(project.config, variants, backbones, run_id, outcomes, metrics)
        return cls(run_id, tuple(outcomes), metrics, summary)

    def lines(self) -> list[str]:
        """The comparison of the systems as aligned text; empty where nothing was evaluated."""
        from llm_i2i_spark.evaluate.summary_table import summary_lines

        return summary_lines(self.summary.get("metrics", {}))

    def __str__(self) -> str:
        return "\n".join(self.lines()) or f"run {self.run_id}"

    def _repr_html_(self) -> str:
        report = f"<p>report: {escape(str(self.report))}</p>" if self.report else ""
        return super()._repr_html_() + report


@dataclass(frozen=True)
class ServedIndex(Printed):
    """The result of `Project.serve`.

    Attributes:
        evaluated: the run on the log without what is held out: how good such an index is.
        served: the run on all interactions: the index to serve, as variants `<variant>_served`.
    """

    evaluated: ProjectRun
    served: ProjectRun

    @property
    def summary(self) -> dict[str, Any]:
        """Both summaries."""
        return {"evaluated": self.evaluated.summary, "served": self.served.summary}

    def lines(self) -> list[str]:
        """The evaluation as aligned text, and what is served."""
        index = self.served.summary["tables"]["item_index"]
        names = [
            f"{name} ({', '.join(self.served.summary['backbones'])})" for name in self._names()
        ]
        return [
            *self.evaluated.lines(),
            "",
            f"to serve: {' and '.join(names)} in item_index v{index['version']}, made from all"
            " interactions with the models and settings evaluated above",
        ]

    def _names(self) -> list[str]:
        return list(self.served.summary["variants"])
