"""The command line. Results go to standard output, progress and errors to standard error; 0 done, 1
failed, 2 a user's mistake.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import yaml

from llm_i2i_spark import __version__
from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import LlmI2iError, UserError
from llm_i2i_spark.base.variants import VARIANTS as ALL_VARIANTS
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.location import local_root, require_location

if TYPE_CHECKING:
    from llm_i2i_spark.lake.tables import Lake

STAGES = ("ingest", "export", "sft", "generate", "discriminate", "fuse", "i2i", "index", "evaluate")
DEFAULT_VARIANTS = "real,llm_i2i"
VARIANTS = tuple(variant.name for variant in ALL_VARIANTS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: without the program's name; None for the process's own.

    Returns:
        The exit code.
    """
    signal.signal(signal.SIGTERM, _stop)
    options = build_parser().parse_args(arguments)
    config: Config | None = None
    try:
        if options.command == "quickstart":
            from llm_i2i_spark.cli.quickstart import quickstart_config

            config = quickstart_config(options.workdir, options.set)
        else:
            config = load_config(options.config, options.set)
        command: Callable[[argparse.Namespace, Config], None] = options.execute
        command(options, config)
    except UserError as error:
        return _fail(str(error), 2)
    except LlmI2iError as error:
        return _fail(str(error), 1)
    except KeyboardInterrupt:
        return _fail("Stopped; the same command goes on from the last complete stage.", 130)
    except Exception as error:
        return _fail(_unexpected(config, error), 1)
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The commands and their options, as the README lists them."""
    parser = argparse.ArgumentParser(
        prog="llm-i2i",
        description="An item-to-item index, improved by a language model that mends the click log.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    quickstart = _command(
        commands, "quickstart", "synthetic shop, whole pipeline, report", _run, configured=False
    )
    quickstart.add_argument(
        "--workdir",
        default="quickstart",
        help="folder for everything it makes (default: quickstart)",
    )
    run = _command(
        commands,
        "run",
        "the stages that the variants need, resuming after the last complete one",
        _run,
    )
    run.add_argument("--from", dest="first", metavar="STAGE", help="first stage to look at")
    run.add_argument("--to", dest="last", metavar="STAGE", help="last stage to run")
    stages = [_command(commands, name, f"stage {name} alone", _run) for name in STAGES]
    for each in (quickstart, run, *stages):
        each.add_argument(
            "--variants",
            default=DEFAULT_VARIANTS,
            help=f"comma-separated, of {', '.join(VARIANTS)} (default: {DEFAULT_VARIANTS})",
        )
        each.add_argument("--backbones", help="comma-separated (default: i2i.backbone)")
        each.add_argument("--force", action="store_true", help="run also what is up to date")

    lookup = _command(commands, "lookup", "neighbours for a click list, as JSON lines", _lookup)
    lookup.add_argument(
        "--items", required=True, metavar="A,B,...", help="the clicks, oldest first"
    )
    lookup.add_argument("--k", type=int, default=10)
    export = _command(
        commands, "index-export", "the index as one Parquet file, a row a neighbour", _index_export
    )
    export.add_argument("--out", required=True, metavar="FILE.parquet")
    for each in (lookup, export):
        each.add_argument("--variant", default="llm_i2i", choices=VARIANTS)
        each.add_argument("--backbone", default="swing")
    supplied = _command(
        commands,
        "evaluate-index",
        "the evaluation kit on an index that anyone made",
        _evaluate_index,
    )
    supplied.add_argument(
        "file", metavar="FILE.parquet", help="columns item_id, rank, neighbor_id, score"
    )

    audit = commands.add_parser(
        "audit", help="the history of runs; the way behind an edge of the index"
    )
    audits = audit.add_subparsers(dest="audit", required=True, metavar="WHAT")
    _command(audits, "runs", "every run with its stages, versions and rows", _audit_runs)
    trace = _command(
        audits, "trace", "the users, rows, prompts and checkpoints behind a neighbour", _audit_trace
    )
    trace.add_argument("--item", required=True)
    trace.add_argument("--neighbor", required=True)
    trace.add_argument("--variant", default="llm_i2i", choices=VARIANTS)
    trace.add_argument("--backbone", default="swing")
    trace.add_argument("--users", type=int, default=20, help="how many users to show (default: 20)")
    _command(commands, "config", "print the effective configuration", _print_config)
    return parser


def _command(
    commands: Any,
    name: str,
    words: str,
    execute: Callable[[argparse.Namespace, Config], None],
    configured: bool = True,
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
    if configured:
        parser.add_argument(
            "--config",
            action="append",
            default=[],
            metavar="FILE",
            help="YAML; a second one goes on top",
        )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="key=value",
        help="one option, such as sft.alpha=4",
    )
    parser.add_argument("--json", action="store_true", help="results as JSON on standard output")
    parser.set_defaults(execute=execute)
    return parser


def _run(options: argparse.Namespace, config: Config) -> None:
    from llm_i2i_spark.pipeline.summary import write_summary
    from llm_i2i_spark.project import Project

    variants = _variants(options.variants)
    backbones = [name for name in (options.backbones or "").split(",") if name] or None
    alone = options.command if options.command in STAGES else None
    first, last = (alone or getattr(options, end, None) for end in ("first", "last"))
    started = time.monotonic()
    project = Project(config=config)
    run = project.run(variants, backbones, first, last, options.force)
    # A stage alone leaves the summary of the run that it belongs to as it is.
    root = local_root(config.lake)
    path = None if alone or root is None else write_summary(root, run.summary)
    if options.json:
        print(json.dumps(run.summary))
        return
    if run.metrics:
        print("\n".join(["", *run.lines(), ""]))
        print(f"report   {run.report}")
    if path:
        print(f"summary  {path}")
    if options.command == "quickstart":
        from llm_i2i_spark.cli.quickstart import next_steps

        print("\n".join(["", "try next", *(f"  {line}" for line in next_steps(options.workdir))]))
    log_message(f"done in {time.monotonic() - started:.0f} s")


def _lookup(options: argparse.Namespace, config: Config) -> None:
    from llm_i2i_spark.index.lookup import lookup

    clicks = [item for item in options.items.split(",") if item]
    if not clicks:
        raise UserError("--items wants at least one item id, such as --items A,B.")
    index = _open_lake(config).read("item_index")
    for row in lookup(index, clicks, options.k, config.index, options.variant, options.backbone):
        print(json.dumps(row))


def _index_export(options: argparse.Namespace, config: Config) -> None:
    from llm_i2i_spark.index.export_file import export_file

    rows = export_file(
        _open_lake(config).read("item_index"), options.out, options.variant, options.backbone
    )
    print(
        json.dumps({"file": options.out, "rows": rows})
        if options.json
        else f"wrote {rows:,} rows to {options.out}"
    )


def _evaluate_index(options: argparse.Namespace, config: Config) -> None:
    from llm_i2i_spark.evaluate.headline import comparison_lines, headline
    from llm_i2i_spark.evaluate.supplied import evaluate_index

    if not Path(options.file).exists():
        raise UserError(
            f"There is no file {options.file}; `llm-i2i index-export` writes one of the form it"
            " must have."
        )
    lake = _open_lake(config)
    rows = evaluate_index(
        lake, config, lake.spark.read.parquet(options.file), Path(options.file).stem
    )
    summary = headline(rows)
    print(json.dumps(summary) if options.json else "\n".join(comparison_lines(summary)))


def _audit_runs(options: argparse.Namespace, config: Config) -> None:
    from llm_i2i_spark.audit.runs import list_runs, runs_lines

    runs = list_runs(_open_lake(config))
    print(
        json.dumps([asdict(run) for run in runs], default=str)
        if options.json
        else "\n".join(runs_lines(runs))
    )


def _audit_trace(options: argparse.Namespace, config: Config) -> None:
    from llm_i2i_spark.audit.trace import trace_edge
    from llm_i2i_spark.audit.trace_tree import trace_lines

    trace = trace_edge(
        _open_lake(config),
        config,
        options.item,
        options.neighbor,
        options.variant,
        options.backbone,
        options.users,
    )
    print(json.dumps(asdict(trace), default=str) if options.json else "\n".join(trace_lines(trace)))


def _print_config(options: argparse.Namespace, config: Config) -> None:
    values = config.model_dump(mode="json", by_alias=True)
    print(
        json.dumps(values) if options.json else yaml.safe_dump(values, sort_keys=False),
        end="" if not options.json else "\n",
    )


def _open_lake(config: Config) -> Lake:
    from llm_i2i_spark.project import Project

    require_location(config.lake)
    return Project(config=config).lake


def _variants(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in VARIANTS]
    if unknown or not names:
        raise UserError(f"--variants takes a list of {', '.join(VARIANTS)}, and got {text!r}.")
    return names


def _unexpected(config: Config | None, error: Exception) -> str:
    """One line for the person, the whole traceback for the log."""
    first = (str(error).splitlines() or [""])[0][:200]
    words = f"Unexpected {type(error).__name__}: {first}"
    try:
        from llm_i2i_spark.lake.session import log_file

        log = log_file((config or Config()).lake)
        with log.open("a", encoding="utf-8") as file:
            traceback.print_exc(file=file)
        return f"{words} (the whole of it is in {log})."
    except OSError:
        return words


def _fail(words: str, code: int) -> int:
    print(f"llm-i2i: {words}", file=sys.stderr)
    return code


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
