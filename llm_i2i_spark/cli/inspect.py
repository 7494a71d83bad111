"""`inspect`: a first look at a log and its catalogue."""

from __future__ import annotations

import argparse
from typing import Any

from llm_i2i_spark.base.errors import ConfigError, InputDataError
from llm_i2i_spark.cli.options import add_command
from llm_i2i_spark.cli.session import show
from llm_i2i_spark.config.config import Config


def add_commands(commands: Any) -> None:
    """Add the commands of this group."""
    inspect = add_command(
        commands,
        "inspect",
        "what a log and its catalogue are taken for, and the options for it; writes nothing",
        _inspect,
    )
    inspect.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="the log, then the catalogue (default: those of the configuration)",
    )


def _inspect(options: argparse.Namespace, config: Config) -> None:
    from llm_i2i_spark.inspection.inspect_source import inspect_source

    if len(options.paths) > 2:
        raise ConfigError(
            f"inspect takes a log and a catalogue, and got {len(options.paths)} paths; quote a"
            " pattern, such as 'days/*.csv'."
        )
    if not options.paths and not config.ingest.interactions:
        raise ConfigError("Name what to look at: llm-i2i inspect clicks.csv products.csv.")
    interactions, items = (*options.paths, None, None)[:2]
    found = inspect_source(interactions, items, config=config)
    show(options, found.to_dict(), found.lines())
    if found.problems:
        raise InputDataError(found.problems[0])
