"""The commands and their options, as the README lists them."""

from __future__ import annotations

import argparse

from llm_i2i_spark import __version__
from llm_i2i_spark.cli import audit, experiments, index, inspect, online, run


def build_parser() -> argparse.ArgumentParser:
    """The parser of `llm-i2i`; the parsed options hold `execute`, the function of the command."""
    parser = argparse.ArgumentParser(
        prog="llm-i2i",
        description="An item-to-item index, improved by a language model that mends the click log.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for group in (inspect, run, index, experiments, online, audit):
        group.add_commands(commands)
    return parser
