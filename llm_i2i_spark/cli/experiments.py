"""`compare`: all systems of a lake side by side."""

from __future__ import annotations

import argparse
from typing import Any

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


def _compare(options: argparse.Namespace, config: Config) -> None:
    systems = systems_of(options)
    result = open_project(config).compare(**systems, baseline=options.baseline)
    show(options, result.to_dict(), result.lines())
