"""`compare` and `tune`: all systems of a lake side by side, a search for better settings."""

from __future__ import annotations

import argparse
from typing import Any

from llm_i2i_spark.base.errors import require_at_least_one
from llm_i2i_spark.base.variants import LLM_I2I
from llm_i2i_spark.cli.options import add_command, add_systems, systems_of
from llm_i2i_spark.cli.session import open_project, show
from llm_i2i_spark.config.config import Config


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
