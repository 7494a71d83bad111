"""The tables and the figure of the paper on one or several logs, a lake each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.variants import LLM_I2I
from llm_i2i_spark.evaluate.figures import Figure, figure_of, rows_by_key
from llm_i2i_spark.evaluate.report.write import report_path, write_report
from llm_i2i_spark.experiments.arm_plan import ArmPlan, cost_of_arms, plan_arms
from llm_i2i_spark.experiments.arms import (
    Arm,
    ArmProject,
    EvaluatedArm,
    evaluate_arms,
    find_metric,
)
from llm_i2i_spark.experiments.reproduction.page import render_reproduction
from llm_i2i_spark.experiments.reproduction.published import published_tables
from llm_i2i_spark.experiments.reproduction.result import Reproduction
from llm_i2i_spark.experiments.reproduction.rows import FIGURES, TableRow, rows_of
from llm_i2i_spark.experiments.reproduction.table import ReproducedTable, make_table
from llm_i2i_spark.experiments.sweeps.presets import find_preset
from llm_i2i_spark.experiments.sweeps.result import Sweep
from llm_i2i_spark.experiments.sweeps.sweep import TARGETS, sweep_arms
from llm_i2i_spark.metrics.synthetic_share import SyntheticShare

TEST = TARGETS["test"]
SWEPT_METRIC = "recall@10"
"""Of the figures."""
Found = Mapping[str, EvaluatedArm]
"""Evaluated arms by name."""


@dataclass(frozen=True)
class Wanted:
    """What is to be reproduced.

    Attributes:
        tables: numbers of tables.
        figures: numbers of figures.
        seeds: of everything that is drawn at random; empty for that of the project.
    """

    tables: tuple[int, ...] = ()
    figures: tuple[int, ...] = ()
    seeds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what the paper does not have.

        Raises:
            ConfigError: a table or figure is unknown, or none is named.
        """
        for table in self.tables:
            rows_of(table)
        for figure in self.figures:
            if figure not in FIGURES:
                known = ", ".join(map(str, FIGURES))
                raise ConfigError(f"There is no figure {figure} to reproduce; choose of {known}.")
        if not self.tables and not self.figures:
            raise ConfigError(
                "Name what to reproduce: tables (--table 2,3,4,5), figures (--figure 5)."
            )

    def seeds_of(self, project: ArmProject) -> tuple[int, ...]:
        """The seeds in the order in which they run: the project's own last, so that the lake holds
        its results in the end.
        """
        own = project.config.seed
        seeds = self.seeds or (own,)
        return tuple(sorted(dict.fromkeys(seeds), key=lambda seed: seed == own))

    def arms(self, project: ArmProject) -> list[Arm]:
        """Everything to evaluate, each once: first the figures, then the tables by mode, so that
        what synthetic rows weigh changes least often.
        """
        arms = []
        for seed in self.seeds_of(project):
            if seed == self.seeds_of(project)[-1]:
                arms += [arm for figure in self.figures for arm in _figure_arms(figure)]
            arms += [_with_seed(arm, seed, project) for arm in self._table_arms()]
        return list({arm.name: arm for arm in arms}.values())

    def _table_arms(self) -> list[Arm]:
        rows = [row for table in self.tables for row in rows_of(table)]
        rows.sort(key=lambda row: row.mode != "hard")
        return [row.arm() for row in rows]


def plan_reproduction(projects: Mapping[str, ArmProject], wanted: Wanted) -> dict[str, ArmPlan]:
    """What `reproduce` with the same arguments would run, by data set, and how long that is likely
    to take.

    Raises:
        ConfigError: a published metric is not evaluated with the settings of a project.
    """
    labels = {one for number in wanted.tables for one in published_tables()[number].metrics}
    if wanted.figures:
        labels.add(SWEPT_METRIC)
    for project in projects.values():
        for label in sorted(labels):
            find_metric(label, project.config.evaluate.ks)
    return {
        name: plan_arms(project.with_settings(TEST), wanted.arms(project))
        for name, project in projects.items()
    }


def reproduce(projects: Mapping[str, ArmProject], wanted: Wanted) -> Reproduction:
    """Say what has to run and how long that took before, then make tables and figures of the paper;
    what is there already is found.

    Everything is evaluated on the test fold, with each project's own settings and protocol: nothing
    is chosen by it. Synthetic rows are fused as published (`hard`) and as this package does
    (`soft`).

    Args:
        projects: a lake for each data set, by its name; `beauty`, `sports` and `toys` stand beside
            their own published columns, others beside one that is named.
        wanted: which tables and figures, with which seeds.

    Raises:
        UserError: a name is unknown, or nothing is held out.
        StageError: a stage failed; the same call goes on from there.
    """
    tables, figures, evaluated, costs = [], {}, [], {}
    for name, plan in plan_reproduction(projects, wanted).items():
        log_message("\n".join([f"data set {name}", *plan.lines()]))
    for name, project in projects.items():
        log_message(f"data set {name}")
        there = project.with_settings(TEST)
        found = {one.arm.name: one for one in evaluate_arms(there, wanted.arms(project))}
        costs[name] = cost_of_arms(there.histories, tuple(found.values()))
        evaluated += list(found.values())
        tables += [_table(number, name, project, wanted, found) for number in wanted.tables]
        for number in wanted.figures:
            figures[number, name] = _sweeps(number, project, found)
    made = [f"table_{number}" for number in wanted.tables]
    made += [f"figure_{number}" for number in wanted.figures]
    first = next(iter(projects.values()))
    page = report_path(first.root, "_".join(["reproduce", *made, *projects]))
    result = Reproduction(
        tuple(tables),
        figures,
        sum(one.seconds for one in evaluated),
        (len(evaluated), sum(one.found for one in evaluated)),
        costs,
        page,
    )
    write_report(page, render_reproduction(result))
    return result


def _table(
    number: int, name: str, project: ArmProject, wanted: Wanted, found: Found
) -> ReproducedTable:
    seeds = tuple(sorted(wanted.seeds_of(project)))

    def by_seed(row: TableRow, metric: str) -> tuple[Figure, ...]:
        return _by_seed(row, metric, seeds, project, found)

    bare = tuple(row for row in rows_of(number) if _keeps_nothing(row, seeds, project, found))
    return make_table(number, name, seeds, _users(found), by_seed, bare)


def _keeps_nothing(row: TableRow, seeds: Sequence[int], project: ArmProject, found: Found) -> bool:
    """Whether the published rule has let no synthetic row into the index of a row."""
    arms = (found[_with_seed(row.arm(), seed, project).name] for seed in seeds)
    return row.mode == "hard" and not any(
        one["value"]
        for arm in arms
        for one in arm.rows
        if (one["variant"], one["name"]) == (row.variant, SyntheticShare.name)
    )


def _users(found: Found) -> int:
    """Users of the evaluations: those of any ranking metric for all items."""
    rows = (row for one in found.values() for row in one.rows)
    return next((row["n"] for row in rows if row["slice"] == "all" and row["name"] == "recall"), 0)


def _by_seed(
    row: TableRow, label: str, seeds: Sequence[int], project: ArmProject, found: Found
) -> tuple[Figure, ...]:
    """The figure of a row for each seed; empty where no user holds out such an item."""
    metric = find_metric(label, project.config.evaluate.ks)
    figures = []
    for seed in seeds:
        rows = rows_by_key(found[_with_seed(row.arm(), seed, project).name].rows)
        key = (row.variant, row.part, metric.name, metric.k)
        if key not in rows:
            return ()
        figures.append(figure_of(rows, *key))
    return tuple(figures)


def _with_seed(arm: Arm, seed: int, project: ArmProject) -> Arm:
    if seed == project.config.seed:
        return arm
    name = f"{arm.name}, seed {seed}"
    return replace(arm, name=name, settings={**arm.settings, "seed": seed})


def _figure_arms(number: int) -> list[Arm]:
    return [
        arm
        for preset in FIGURES[number]
        for arm in sweep_arms(find_preset(preset), LLM_I2I.name, "swing", "test")
    ]


def _sweeps(number: int, project: ArmProject, found: Found) -> tuple[Sweep, ...]:
    """The sweeps of a figure, of the project's own seed."""
    metric = find_metric(SWEPT_METRIC, project.config.evaluate.ks)
    sweeps = []
    for name in FIGURES[number]:
        points = find_preset(name)
        arms = sweep_arms(points, LLM_I2I.name, "swing", "test")
        evaluated = tuple(found[arm.name] for arm in arms)
        sweeps.append(Sweep(points, metric, LLM_I2I.name, "swing", "test", evaluated, ""))
    return tuple(sweeps)
