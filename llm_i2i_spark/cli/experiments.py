"""`compare`: all systems of a lake side by side; `tune`: a search for better settings; `sweep`: one
evaluation a value; `reproduce`: the tables of the paper.
"""

from __future__ import annotations

import argparse
from typing import Any

from llm_i2i_spark.base.errors import ConfigError, require_at_least_one
from llm_i2i_spark.base.variants import LLM_I2I
from llm_i2i_spark.cli.options import (
    add_command,
    add_one_index,
    add_systems,
    index_of,
    systems_of,
)
from llm_i2i_spark.cli.session import open_project, show
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.experiments.reproduction.published import UNNAMED
from llm_i2i_spark.experiments.sweeps.presets import PRESETS, choose_points


def add_commands(commands: Any) -> None:
    """Add the commands of this group."""
    compare = add_command(
        commands,
        "compare",
        "the metrics of several variants and backbones, with the gain over one of them",
        _compare,
    )
    add_systems(compare, default=None)
    compare.add_argument(
        "--baseline",
        metavar="VARIANT[/BACKBONE]",
        help="what the gains are over (default: real with the first backbone)",
    )
    _add_tune(commands)
    _add_sweep(commands)
    _add_reproduce(commands)


def _add_tune(commands: Any) -> None:
    tune = add_command(
        commands,
        "tune",
        "search for better settings of a variant and backbone, on the validation fold alone",
        _tune,
    )
    tune.add_argument(
        "metric", metavar="METRIC", help="such as ndcg@10, recall@20 or recall@10/long_tail"
    )
    tune.add_argument(
        "--space",
        action="append",
        default=[],
        metavar="key=VALUES",
        help="an option and its values: low:high, low:high:log or a,b,c; or a YAML file of them"
        " (default: the parameters of the backbone)",
    )
    tune.add_argument(
        "--variant",
        default=LLM_I2I.name,
        help=f"what the indexes are made from (default: {LLM_I2I.name})",
    )
    tune.add_argument("--backbone", help="default: i2i.backbone")
    tune.add_argument(
        "--trials",
        type=int,
        default=20,
        metavar="N",
        help="in all, those of earlier calls counted (default: 20)",
    )


def _add_sweep(commands: Any) -> None:
    presets = ", ".join(preset.name for preset in PRESETS)
    sweep = add_command(
        commands,
        "sweep",
        "one evaluation a value of an option, on the validation fold, with a table and a plot",
        _sweep,
    )
    sweep.add_argument(
        "points", nargs="?", metavar="KEY=V1,V2,...", help="an option and its values"
    )
    sweep.add_argument("--preset", metavar="NAME", help=f"in place of KEY: {presets}")
    sweep.add_argument(
        "--metric", default="recall@10", help="a ranking metric (default: recall@10)"
    )
    sweep.add_argument(
        "--target",
        choices=("valid", "test"),
        default="valid",
        help="fold that is evaluated; nothing is to be chosen on test (default: valid)",
    )
    sweep.add_argument("--plan", action="store_true", help="show what would run, and run nothing")
    add_one_index(sweep, versions=False)


def _add_reproduce(commands: Any) -> None:
    reproduce = add_command(
        commands,
        "reproduce",
        "tables and figures of the paper beside the published ones; what is there is found",
        _reproduce,
    )
    reproduce.add_argument("--table", metavar="N,M,...", default="", help="of 2, 3, 4 and 5")
    reproduce.add_argument("--figure", metavar="N,...", default="", help="5")
    reproduce.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="NAME[=FILE]",
        help="what the log is: beauty, sports, toys or another name (default: log); with FILE, a"
        " YAML on top of --config with a log and a lake of its own; may be repeated",
    )
    reproduce.add_argument(
        "--seeds", metavar="A,B,...", default="", help="such as 42,43,44 (default: that of seed)"
    )
    reproduce.add_argument("--plan", action="store_true", help="show what would run alone")


def _compare(options: argparse.Namespace, config: Config) -> None:
    systems = systems_of(options)
    result = open_project(config).compare(**systems, baseline=options.baseline)
    show(options, result.to_dict(), result.lines())


def _tune(options: argparse.Namespace, config: Config) -> None:
    require_at_least_one("--trials", options.trials)
    from llm_i2i_spark.experiments.tuning.written_space import read_spaces

    space = read_spaces(options.space) or None
    found = open_project(config).tune(
        options.metric, space, options.variant, options.backbone, options.trials
    )
    show(options, found.to_dict(), found.lines())


def _sweep(options: argparse.Namespace, config: Config) -> None:
    from llm_i2i_spark.experiments.sweeps.points import read_points
    from llm_i2i_spark.experiments.sweeps.sweep import plan_sweep, run_sweep

    if options.points is None or options.preset is not None:
        points = choose_points(options.points, (), options.preset)
    else:
        points = read_points(options.points)
    project, chosen = open_project(config), index_of(options)
    if options.plan:
        plan = plan_sweep(project, points, options.metric, target=options.target, **chosen)
        show(options, plan.to_dict(), plan.lines())
        return
    sweep = run_sweep(project, points, options.metric, target=options.target, **chosen)
    show(options, sweep.to_dict(), ["", *sweep.lines(), "", f"report   {sweep.report}"])


def _reproduce(options: argparse.Namespace, config: Config) -> None:
    from llm_i2i_spark.experiments.reproduction.reproduce import (
        Wanted,
        plan_reproduction,
        reproduce,
    )

    wanted = Wanted(
        *(_numbers(options, name) for name in ("table", "figure", "seeds")),
    )
    projects = {name: open_project(one) for name, one in _data_sets(options, config).items()}
    if options.plan:
        plans = plan_reproduction(projects, wanted)
        lines = [line for name, plan in plans.items() for line in (name, *plan.lines(), "")]
        show(options, {name: plan.to_dict() for name, plan in plans.items()}, lines[:-1])
        return
    result = reproduce(projects, wanted)
    show(options, result.to_dict(), [*result.lines(), "", f"report   {result.report}"])


def _numbers(options: argparse.Namespace, name: str) -> tuple[int, ...]:
    text = getattr(options, name)
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(word.isdecimal() for word in words):
        raise ConfigError(f"--{name} wants numbers, such as --{name} 5, and got {text!r}.")
    return tuple(dict.fromkeys(map(int, words)))


def _data_sets(options: argparse.Namespace, config: Config) -> dict[str, Config]:
    """The configuration of each data set, by its name.

    Raises:
        ConfigError: a file is not there or does not fit, or two data sets share a lake.
    """
    found = {}
    for entry in options.data or [UNNAMED]:
        name, _, path = entry.partition("=")
        found[name] = load_config([*options.config, path], options.set) if path else config
    lakes = [(one.lake.root, one.lake.schema_name) for one in found.values()]
    if len(set(lakes)) < len(lakes):
        raise ConfigError(
            "Each data set needs a lake of its own: set lake.root in every file of --data."
        )
    return found
