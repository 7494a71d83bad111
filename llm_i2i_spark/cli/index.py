"""Commands on an index: look up, write out, evaluate, serve."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import ConfigError, require_at_least_one
from llm_i2i_spark.base.files import require_file_place
from llm_i2i_spark.cli.options import (
    add_command,
    add_one_index,
    add_systems,
    index_of,
    systems_of,
)
from llm_i2i_spark.cli.session import open_project, print_line, show
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.evaluate.slices import COMPARED_SLICES, SLICES, require_slices

if TYPE_CHECKING:
    from llm_i2i_spark.serving.lookup import Lookup


def add_commands(commands: Any) -> None:
    """Add the commands of this group."""
    _add_readers(commands)
    external = add_command(
        commands,
        "evaluate-index",
        "the evaluation kit on indexes that anyone made",
        _evaluate_index,
    )
    external.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="Parquet, CSV, JSON lines or Delta: item_id, rank, neighbor_id, score; several are"
        " compared on the same users",
    )
    _add_kit_options(external)
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


def _add_kit_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--baseline", metavar="NAME", help="of several, what gains are over")
    parser.add_argument(
        "--slices",
        metavar="A,B,...",
        type=_names,
        default=COMPARED_SLICES,
        help=f"kinds of items and users that the table shows (--json has all): {', '.join(SLICES)}",
    )
    parser.add_argument(
        "--tie-seeds",
        metavar="1,2,...",
        type=_names,
        help="shuffle users' interactions of equal time as well, once with each seed",
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _add_readers(commands: Any) -> None:
    lookup = add_command(commands, "lookup", "neighbours for a click list, as JSON lines", _lookup)
    clicks = lookup.add_argument_group("the clicks, oldest first")
    clicks.add_argument(
        "--items",
        metavar="A,B,...",
        help="item ids, comma-separated, blanks around them or not",
    )
    clicks.add_argument(
        "--item",
        action="append",
        default=[],
        metavar="ID",
        help="one item id, commas and all; repeat it for several, after those of --items",
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
    recommend.add_argument(
        "--out", required=True, metavar="FILE", help="a file, Parquet or .jsonl, or its URI"
    )
    recommend.add_argument(
        "--by-vectors",
        action="store_true",
        help="by the users' own vectors and not by lists: of --backbone youtube_dnn",
    )
    for each in (lookup, export):
        add_one_index(each)
    add_one_index(recommend, versions=False)


def _lookup(options: argparse.Namespace, config: Config) -> None:
    require_at_least_one("--k", options.k)
    typed = [*(options.items or "").split(","), *options.item]
    if not any(item.strip() for item in typed):
        raise ConfigError("--items wants at least one item id, such as --items A,B.")
    lookup = open_project(config).open_lookup(**index_of(options))
    clicks = [_known_form(lookup, item) for item in typed if item.strip()]
    rows = lookup.recommend(clicks, options.k)
    _tell_unknown(lookup, clicks, found=bool(rows))
    for row in rows:
        print_line(json.dumps(row))


def _known_form(lookup: Lookup, item: str) -> str:
    """An id without the blanks around it, unless the index has it with them."""
    return item if lookup.knows(item) else item.strip()


def _tell_unknown(lookup: Lookup, clicks: Sequence[str], found: bool) -> None:
    unknown = [repr(item) for item in dict.fromkeys(clicks) if not lookup.knows(item)]
    if unknown:
        log_message(f"the index does not know {', '.join(unknown)}")
    elif not found:
        log_message("the index has no neighbours for these items that are not among them")


def _index_export(options: argparse.Namespace, config: Config) -> None:
    index = index_of(options)
    rows = open_project(config).index_export(options.out, **index)
    _show_written(options, rows)


def _recommend(options: argparse.Namespace, config: Config) -> None:
    from llm_i2i_spark.serving.recommendations import write_recommendations

    require_at_least_one("--k", options.k)
    require_file_place(options.out)
    project, index = open_project(config), index_of(options)
    recommend = project.recommend_by_vectors if options.by_vectors else project.recommend
    lists = recommend(options.k, **index)
    _show_written(options, write_recommendations(lists, options.out))


def _show_written(options: argparse.Namespace, rows: int) -> None:
    values = {"file": options.out, "rows": rows}
    show(options, values, [f"wrote {rows:,} rows to {options.out}"])


def _evaluate_index(options: argparse.Namespace, config: Config) -> None:
    require_slices(options.slices)
    project = open_project(config)
    if options.tie_seeds:
        if options.baseline:
            raise ConfigError("--baseline is for gains, and --tie-seeds shows none; give one.")
        orders = project.evaluate_tie_orders(*options.files, seeds=_seeds(options.tie_seeds))
        show(options, orders.to_dict(), orders.lines(options.slices))
        return
    result = project.evaluate_index(*options.files, baseline=options.baseline)
    values, lines = result.to_dict(), result.lines(options.slices)
    if len(options.files) > 1:
        compared = result.compare_all(options.slices)
        values["comparison"] = compared.to_dict()
        lines += ["", *compared.lines()]
    show(options, values, lines)


def _seeds(texts: Sequence[str]) -> list[int]:
    try:
        return [int(text) for text in texts]
    except ValueError:
        raise ConfigError("--tie-seeds wants whole numbers, such as --tie-seeds 1,2,3.") from None


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
