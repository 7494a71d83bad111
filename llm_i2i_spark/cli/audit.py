"""`audit`: what ran, what stands behind an edge, what changed, what is damaged, and back again."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import AuditError, ConfigError, UserError, require_at_least_one
from llm_i2i_spark.base.files import require_file_place
from llm_i2i_spark.cli.options import STAGES, add_command, add_one_index, index_of
from llm_i2i_spark.cli.session import open_project, show
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.project import Project


def add_commands(commands: Any) -> None:
    """Add the commands of this group."""
    audit = commands.add_parser(
        "audit", help="the history: runs, what is behind an edge, what changed, back to before"
    )
    audits = audit.add_subparsers(dest="audit", required=True, metavar="WHAT")
    add_command(audits, "runs", "every run with its stages, versions and rows", _runs)
    trace = add_command(
        audits,
        "trace",
        "the components, users, prompts and checkpoints behind a neighbour; or all that a user's"
        " rows touched",
        _trace,
    )
    trace.add_argument("--item", help="whose list; with --neighbor")
    trace.add_argument("--neighbor", help="the item in that list")
    trace.add_argument("--user", help="in place of an edge: whose rows to follow forward")
    trace.add_argument("--users", type=int, default=20, help="how many users to show (default: 20)")
    trace.add_argument(
        "--entries", type=int, default=20, help="with --user: entries to show (default: 20)"
    )
    add_one_index(trace)
    _add_checks(audits)
    _add_changes(audits)


def _add_checks(audits: Any) -> None:
    """Commands that compare and write no table."""
    diff = add_command(audits, "diff", "what changed between two indexes, and why", _diff)
    diff.add_argument(
        "before",
        nargs="?",
        metavar="V1",
        help="version of item_index, or a run (default: the one written before V2)",
    )
    diff.add_argument("after", nargs="?", metavar="V2", help="likewise (default: the latest)")
    diff.add_argument("--examples", type=int, default=5, help="lists to show an index (default: 5)")
    diff.add_argument("--html", metavar="FILE", help="write a page, too")
    verify = add_command(
        audits, "verify", "whether every table is what its log and contract say", _verify
    )
    verify.add_argument(
        "--quick", action="store_true", help="names and sizes of files alone; no rows are read"
    )
    replay = add_command(
        audits, "replay", "the stages of a run again on what they read: the same rows?", _replay
    )
    replay.add_argument("run", metavar="RUN", help="its id, as `audit runs` lists it")
    replay.add_argument(
        "--stage", action="append", choices=STAGES, help="only this one; may be given again"
    )
    replay.add_argument(
        "--scratch", metavar="FOLDER", help="for the scratch lake (default: below lake.root)"
    )
    replay.add_argument(
        "--other-code", action="store_true", help="replay also a stage whose code has changed"
    )
    replay.add_argument(
        "--train", action="store_true", help="train models again too; --stage sft does it for one"
    )


def _add_changes(audits: Any) -> None:
    """Commands that change the lake."""
    rollback = add_command(
        audits, "rollback", "the index of a former run back, with what it was made from", _rollback
    )
    rollback.add_argument("run", nargs="?", metavar="RUN", help="that wrote the index")
    rollback.add_argument(
        "--version", type=int, metavar="N", help="of item_index, in place of a run"
    )
    rollback.add_argument(
        "--table",
        action="append",
        metavar="NAME",
        help="only this table; may be given again (default: item_index and its inputs)",
    )
    rollback.add_argument("--yes", action="store_true", help="do it; without, the plan is shown")
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
    require_at_least_one("--entries", options.entries)
    index, ends = index_of(options), (options.item, options.neighbor)
    if options.user is not None and ends == (None, None):
        found = open_project(config).trace_user(options.user, entries=options.entries, **index)
        show(options, found.to_dict(), found.lines())
        return
    if options.user is not None or None in ends:
        raise ConfigError("Name an edge by --item and --neighbor, or one --user.")
    trace = open_project(config).trace(options.item, options.neighbor, users=options.users, **index)
    show(options, asdict(trace), trace_lines(trace))


def _diff(options: argparse.Namespace, config: Config) -> None:
    require_at_least_one("--examples", options.examples)
    if options.html is not None:
        require_file_place(options.html)
    found = open_project(config).diff(options.before, options.after, options.examples)
    if options.html is not None:
        found.save(options.html)
        log_message(f"page: {options.html}")
    show(options, found.to_dict(), found.lines())


def _verify(options: argparse.Namespace, config: Config) -> None:
    found = open_project(config).verify(options.quick)
    show(options, found.to_dict(), found.lines())
    bad = [table.table for table in found.tables if not table.is_ok]
    if bad:
        raise AuditError(f"{len(bad)} of {len(found.tables)} tables have a problem.")


def _rollback(options: argparse.Namespace, config: Config) -> None:
    project = open_project(config)
    wanted = {"run": options.run, "version": options.version, "tables": options.table}
    if not options.yes:
        plan = project.plan_restore(**wanted)
        end = ["nothing is changed yet: add --yes"] if plan.tables else []
        show(options, plan.to_dict(), [*plan.lines(), *end])
        return
    done = project.restore(**wanted)
    show(options, done.to_dict(), [*done.lines(), *_next_run(project)])


def _replay(options: argparse.Namespace, config: Config) -> None:
    found = open_project(config).replay_run(
        options.run, options.stage, options.scratch, options.other_code, options.train
    )
    show(options, found.to_dict(), found.lines())
    if not found.is_equal:
        rest = [one.stage for one in found.stages if one.state not in ("equal", "left out")]
        raise AuditError(f"Not shown to be the same: {', '.join(rest)}.")


def _next_run(project: Project) -> list[str]:
    """What a run for the indexes of the lake would do now, where the settings name the raw tables
    that it reads.
    """
    from llm_i2i_spark.pipeline.planner import systems_in

    systems = systems_in(project.histories.history("item_index"))
    variants = dict.fromkeys(variant.name for variant, _ in systems if not variant.served)
    backbones = dict.fromkeys(backbone for _, backbone in systems)
    try:
        plan = project.explain(tuple(variants), tuple(backbones))
    except UserError:
        return ["what a run would do now says: llm-i2i explain --config FILE"]
    return ["", "a run would now do:", *plan.lines()]


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
