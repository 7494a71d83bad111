"""What a run would look at, stage by stage, and why each result has to be made."""

from __future__ import annotations

from dataclasses import dataclass

from llm_i2i_spark.base.contract import scope_key
from llm_i2i_spark.base.external_input import ExternalInput
from llm_i2i_spark.base.fingerprint import Ingredients
from llm_i2i_spark.base.run_record import Commit
from llm_i2i_spark.base.stage import Stage
from llm_i2i_spark.config.config import Config


@dataclass(frozen=True)
class PlannedResult:
    """One result of a stage.

    Attributes:
        scope: which.
        config: the settings that it is made with.
        ingredients: what it depends on.
        external_inputs: the pinned state of each input outside the lake, by name.
        reads: the scopes of each table that it is made from.
        reasons: why it has to be made; empty where it is up to date.
        present: the commit of each table that holds the result, where it is up to date.
    """

    scope: dict[str, str]
    config: Config
    ingredients: Ingredients
    external_inputs: dict[str, ExternalInput]
    reads: dict[str, tuple[dict[str, str], ...]]
    reasons: tuple[str, ...]
    present: dict[str, Commit]

    @property
    def up_to_date(self) -> bool:
        """Whether the tables hold exactly this result."""
        return not self.reasons


@dataclass(frozen=True)
class PlannedStage:
    """A stage and its results."""

    stage: Stage
    results: tuple[PlannedResult, ...]

    @property
    def up_to_date(self) -> bool:
        """Whether there is nothing to do."""
        return all(result.up_to_date for result in self.results)


@dataclass(frozen=True)
class Plan:
    """All that a run would look at, in pipeline order."""

    stages: tuple[PlannedStage, ...]

    @property
    def up_to_date(self) -> bool:
        """Whether there is nothing to do."""
        return all(stage.up_to_date for stage in self.stages)

    @property
    def up_to_date_fingerprints(self) -> list[str]:
        """Of the results that the tables hold already."""
        results = (result for stage in self.stages for result in stage.results)
        return [one.ingredients.fingerprint for one in results if one.up_to_date]

    def lines(self) -> list[str]:
        """The plan as text: a line a stage, and below it a line for each result and reason."""
        lines = []
        for planned in self.stages:
            todo = [result for result in planned.results if not result.up_to_date]
            kept = len(planned.results) - len(todo)
            state = (
                f"runs, {kept} of {len(planned.results)} results are up to date" if kept else "runs"
            )
            lines.append(f"{planned.stage.name:<13} {state if todo else 'up to date'}")
            for result in todo:
                name = scope_key(result.scope)
                label = f"{name}: " if name else ""
                lines.append(f"{'':<13}   {label}{'; '.join(result.reasons)}")
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{planned.stage.name}</td><td>{scope_key(result.scope)}</td>"
            f"<td>{'; '.join(result.reasons) or 'up to date'}</td></tr>"
            for planned in self.stages
            for result in planned.results
        )
        return f"<table><tr><th>stage</th><th>result</th><th>why it runs</th></tr>{rows}</table>"
