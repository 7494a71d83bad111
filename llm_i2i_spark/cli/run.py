"""`run`, the stages as commands, `explain`, `quickstart` and `config`."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.extras import require_packages
from llm_i2i_spark.cli.options import (
    STAGES,
    add_command,
    add_stage_range,
    add_systems,
    systems_of,
)
from llm_i2i_spark.cli.session import open_project, print_line, show
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lake.location import local_root

if TYPE_CHECKING:
    from llm_i2i_spark.pipeline.plan import Plan
    from llm_i2i_spark.project import Project
    from llm_i2i_spark.project.results import ProjectRun


def add_commands(commands: Any) -> None:
    """Add the commands of this group."""
    quickstart = add_command(
        commands,
        "quickstart",
        "synthetic data set, whole pipeline, report",
        _quickstart,
        configured=False,
    )
    quickstart.add_argument(
        "--workdir",
        default="quickstart",
        help="folder for everything it makes (default: quickstart)",
    )
    quickstart.add_argument(
        "--chat-model",
        action="store_true",
        help="fine-tune a pretrained chat model of 135 million parameters (extra smollm2) on a"
        " smaller log, in place of the compact model",
    )
    run = add_command(
        commands,
        "run",
        "the stages that the variants need, resuming after the last complete one",
        _run,
    )
    explain = add_command(
        commands,
        "explain",
        "which stages `run` would run, why, and what the language models will cost; runs nothing",
        _explain,
    )
    run.add_argument(
        "--mlflow",
        action="store_true",
        help="log the run into MLflow as well (extra mlflow); MLFLOW_TRACKING_URI and"
        " MLFLOW_EXPERIMENT_NAME say where",
    )
    for each in (run, explain):
        add_stage_range(each)
    stages = [add_command(commands, name, f"stage {name} alone", _stage) for name in STAGES]
    for each in (quickstart, run, explain, *stages):
        add_systems(each)
    for each in (quickstart, run, *stages):
        each.add_argument("--force", action="store_true", help="run also what is up to date")
    add_command(commands, "config", "print the effective configuration", _config)


def _quickstart(options: argparse.Namespace, config: Config) -> None:
    from llm_i2i_spark.cli.quickstart import next_steps

    _execute(options, config, None, None)
    if not options.json:
        print_line(
            "\n".join(["", "try next", *(f"  {one}" for one in next_steps(options.workdir))])
        )


def _run(options: argparse.Namespace, config: Config) -> None:
    if options.mlflow:
        require_packages("mlflow")
        from llm_i2i_spark.pipeline.mlflow_tracking import require_server

        require_server()
    project, run = _execute(options, config, options.first, options.last)
    if options.mlflow:
        log_message(f"run {project.log_to_mlflow(run)} of MLflow")


def _stage(options: argparse.Namespace, config: Config) -> None:
    _execute(options, config, options.command, options.command)


def _execute(
    options: argparse.Namespace, config: Config, first: str | None, last: str | None
) -> tuple[Project, ProjectRun]:
    started = time.monotonic()
    # A stage alone leaves the summary of the run that it belongs to as it is.
    summarized = options.command not in STAGES
    project = open_project(config)
    run = project.run(
        **systems_of(options),
        first=first,
        last=last,
        force=options.force,
        leave_summary=summarized,
    )
    lines = ["", *run.lines(), "", f"report   {run.report}"] if run.metrics else []
    root = local_root(config.lake)
    if summarized and root is not None:
        from llm_i2i_spark.pipeline.summary import FILE

        lines.append(f"summary  {root / FILE}")
    show(options, run.summary, lines)
    log_message(f"done in {time.monotonic() - started:.0f} s")
    return project, run


def _explain(options: argparse.Namespace, config: Config) -> None:
    systems = systems_of(options)
    plan = open_project(config).explain(**systems, first=options.first, last=options.last)
    show(options, _planned(plan), plan.lines())


def _planned(plan: Plan) -> list[dict[str, Any]]:
    stages: list[dict[str, Any]] = [
        {
            "stage": planned.stage.name,
            "up_to_date": planned.up_to_date,
            "results": [
                {"scope": result.scope, "reasons": list(result.reasons)}
                for result in planned.results
            ],
        }
        for planned in plan.stages
    ]
    if plan.cost is not None:
        for stage in stages:
            cost = plan.cost.of_stage(stage["stage"])
            if cost.works:
                stage["cost"] = cost.values()
    return stages


def _config(options: argparse.Namespace, config: Config) -> None:
    from llm_i2i_spark.config.files import commented_yaml

    shown = config.without_secrets()
    show(options, shown.model_dump(mode="json", by_alias=True), [commented_yaml(shown).rstrip()])
