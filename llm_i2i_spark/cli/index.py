"""Commands on an index: look up, write out, evaluate, serve."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from llm_i2i_spark.base.errors import ConfigError, InputDataError
from llm_i2i_spark.cli.options import (
    add_command,
    add_one_index,
    add_systems,
    index_of,
    systems_of,
)
from llm_i2i_spark.cli.session import open_project, print_line, show
from llm_i2i_spark.config.config import Config


def add_commands(commands: Any) -> None:
    """Add the commands of this group."""
    _add_readers(commands)
    external = add_command(
        commands,
        "evaluate-index",
        "the evaluation kit on an index that anyone made",
        _evaluate_index,
    )
    external.add_argument(
        "file", metavar="FILE.parquet", help="columns item_id, rank, neighbor_id, score"
    )
    serve = add_command(
        commands,
        "serve-index",
        "the index to serve: made from all interactions, held-out ones included",
        _serve,
    )
    add_systems(serve)
    publish = add_command(commands, "publish", "write an index to a store that serves it", _publish)
    add_one_index(publish)
    rollback = add_command(
        commands, "rollback", "let a store serve the version published before", _rollback
    )
    for each in (publish, rollback):
        each.add_argument(
            "target", metavar="URL", help="such as redis://host:6379/0 or parquet:///folder"
        )


def _add_readers(commands: Any) -> None:
    lookup = add_command(commands, "lookup", "neighbours for a click list, as JSON lines", _lookup)
    clicks = lookup.add_argument_group("the clicks, oldest first")
    clicks.add_argument("--items", metavar="A,B,...", help="item ids, comma-separated")
    clicks.add_argument(
        "--item",
        action="append",
        default=[],
        metavar="ID",
        help="one item id, commas and all; repeat it for several",
    )
    lookup.add_argument("--k", type=int, default=10)
    export = add_command(
        commands, "index-export", "the index as one Parquet file, a row a neighbour", _index_export
    )
    export.add_argument("--out", required=True, metavar="FILE.parquet")
    recommend = add_command(
        commands, "recommend", "the best items of every user, from the index", _recommend
    )
    recommend.add_argument("--k", type=int, default=10)
    recommend.add_argument("--out", required=True, metavar="PATH", help="Parquet, folder or URI")
    for each in (lookup, export):
        add_one_index(each)
    add_one_index(recommend, versions=False)


def _lookup(options: argparse.Namespace, config: Config) -> None:
    clicks = [item for item in (options.items or "").split(",") if item] + options.item
    if not clicks:
        raise ConfigError("--items wants at least one item id, such as --items A,B.")
    for row in open_project(config).lookup(clicks, options.k, **index_of(options)):
        print_line(json.dumps(row))


def _index_export(options: argparse.Namespace, config: Config) -> None:
    index = index_of(options)
    rows = open_project(config).index_export(options.out, **index)
    _show_written(options, rows)


def _recommend(options: argparse.Namespace, config: Config) -> None:
    from llm_i2i_spark.serving.recommendations import write_recommendations

    lists = open_project(config).recommend(options.k, **index_of(options))
    _show_written(options, write_recommendations(lists, options.out))


def _show_written(options: argparse.Namespace, rows: int) -> None:
    values = {"file": options.out, "rows": rows}
    show(options, values, [f"wrote {rows:,} rows to {options.out}"])


def _evaluate_index(options: argparse.Namespace, config: Config) -> None:
    if not Path(options.file).exists():
        raise InputDataError(
            f"There is no file {options.file}; `llm-i2i index-export` writes one of the form it"
            " must have."
        )
    result = open_project(config).evaluate_index(options.file, name=Path(options.file).stem)
    show(options, result.to_dict(), result.lines())


def _serve(options: argparse.Namespace, config: Config) -> None:
    result = open_project(config).serve(**systems_of(options))
    show(options, result.summary, result.lines())


def _publish(options: argparse.Namespace, config: Config) -> None:
    index = index_of(options)
    result = open_project(config).publish(options.target, **index)
    show(options, result.to_dict(), result.lines())


def _rollback(options: argparse.Namespace, config: Config) -> None:
    result = open_project(config).rollback(options.target)
    show(options, result.to_dict(), result.lines())
