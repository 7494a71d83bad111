"""`audit runs`, `trace` and `forget`: what ran, what stands behind an edge of the index, and
the erasure of users.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from llm_i2i_spark.base.errors import ConfigError, require_at_least_one
from llm_i2i_spark.cli.options import add_command, add_one_index, index_of
from llm_i2i_spark.cli.session import open_project, show
from llm_i2i_spark.config.config import Config


def add_commands(commands: Any) -> None:
    """Add the commands of this group."""
    audit = commands.add_parser(
        "audit", help="the history of runs; what stands behind an edge of the index"
    )
    audits = audit.add_subparsers(dest="audit", required=True, metavar="WHAT")
    add_command(audits, "runs", "every run with its stages, versions and rows", _runs)
    trace = add_command(
        audits, "trace", "the components, users, prompts and checkpoints behind a neighbour", _trace
    )
    trace.add_argument("--item", required=True)
    trace.add_argument("--neighbor", required=True)
    trace.add_argument("--users", type=int, default=20, help="how many users to show (default: 20)")
    add_one_index(trace)
    _add_forget(audits)


def _add_forget(audits: Any) -> None:
    forget = add_command(
        audits, "forget", "all that holds a user; with --yes their erasure, and its proof", _forget
    )
    forget.add_argument("users", nargs="+", metavar="USER", help="id as in the log")
    forget.add_argument("--yes", action="store_true", help="do it; without it nothing is written")
    forget.add_argument(
        "--purge",
        action="store_true",
        help="with --yes, remove also the files of old versions that hold them",
    )


def _runs(options: argparse.Namespace, config: Config) -> None:
    from llm_i2i_spark.audit.runs import runs_lines

    runs = open_project(config).runs()
    show(options, [asdict(run) for run in runs], runs_lines(runs))


def _trace(options: argparse.Namespace, config: Config) -> None:
    from llm_i2i_spark.audit.trace import trace_lines

    require_at_least_one("--users", options.users)
    index = index_of(options)
    trace = open_project(config).trace(options.item, options.neighbor, users=options.users, **index)
    show(options, asdict(trace), trace_lines(trace))


def _forget(options: argparse.Namespace, config: Config) -> None:
    from llm_i2i_spark.audit.erasure import erasure_lines, holdings_lines

    project = open_project(config)
    if options.purge and not options.yes:
        raise ConfigError("--purge removes files: give it together with --yes.")
    if options.yes:
        erasure = project.forget(options.users, True, options.purge)
        show(options, asdict(erasure), erasure_lines(erasure))
        return
    held = project.forget(options.users)
    show(options, asdict(held), holdings_lines(held))
