"""Options that several commands share, and what they stand for."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from llm_i2i_spark.backbones import BACKBONES
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import ConfigError, UserError
from llm_i2i_spark.base.variants import DEFAULT_VARIANTS, VARIANTS, find_variant
from llm_i2i_spark.config.config import Config

STAGES = tuple(dict.fromkeys(table.stage for table in TABLES.values()))
"""The stages in pipeline order, each a command."""

Handler = Callable[[argparse.Namespace, Config], None]


def add_command(
    commands: Any, name: str, description: str, execute: Handler, configured: bool = True
) -> argparse.ArgumentParser:
    """A command with the options that all commands have.

    Args:
        commands: what `add_subparsers` gave.
        name: as it is typed.
        description: one line for the help.
        execute: does the work; called with the parsed options and the configuration.
        configured: whether it takes `--config`.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=description, description=description
    )
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


def add_systems(
    parser: argparse.ArgumentParser, default: Sequence[str] | None = DEFAULT_VARIANTS
) -> None:
    """`--variants` and `--backbones`, for a command that works on several indexes.

    Args:
        parser: of the command.
        default: variants without the option; None for all that the lake holds.
    """
    names = ", ".join(variant.name for variant in VARIANTS)
    otherwise = "all that there are" if default is None else ",".join(default)
    parser.add_argument(
        "--variants",
        default=None if default is None else ",".join(default),
        metavar="A,B,...",
        help=f"comma-separated, of {names} (default: {otherwise})",
    )
    parser.add_argument(
        "--backbones",
        metavar="A,B,...",
        help=f"comma-separated, such as swing,bm25 (default: "
        f"{'all that there are' if default is None else 'i2i.backbone'})",
    )


def add_one_index(parser: argparse.ArgumentParser, versions: bool = True) -> None:
    """`--variant` and `--backbone`, for a command that works on one index.

    Args:
        parser: of the command.
        versions: whether it also takes `--version`.
    """
    parser.add_argument("--variant", help="default: llm_i2i where there is one, else real")
    parser.add_argument("--backbone", help="default: i2i.backbone")
    if versions:
        parser.add_argument(
            "--version",
            type=int,
            metavar="N",
            help="version of the table item_index (default: the latest)",
        )


def add_stage_range(parser: argparse.ArgumentParser) -> None:
    """`--from` and `--to`."""
    parser.add_argument("--from", dest="first", metavar="STAGE", help="first stage to look at")
    parser.add_argument("--to", dest="last", metavar="STAGE", help="last stage to run")


def variants_of(options: argparse.Namespace) -> tuple[str, ...] | None:
    """The variants of `--variants`, each once; None where the option stands for all.

    Raises:
        ConfigError: a name is unknown, or there is none.
    """
    if options.variants is None:
        return None
    return _names(options.variants, "--variants", [one.name for one in VARIANTS], _is_variant)


def backbones_of(options: argparse.Namespace) -> tuple[str, ...] | None:
    """The backbones of `--backbones`, each once; None without the option.

    Raises:
        ConfigError: a name is unknown, or there is none.
    """
    if options.backbones is None:
        return None
    known = tuple(backbone.name for backbone in BACKBONES)
    return _names(options.backbones, "--backbones", known, known.__contains__)


def systems_of(options: argparse.Namespace) -> dict[str, Any]:
    """`variants` and `backbones` as `Project` takes them.

    Raises:
        ConfigError: a name is unknown, or there is none.
    """
    return {"variants": variants_of(options), "backbones": backbones_of(options)}


def index_of(options: argparse.Namespace) -> dict[str, Any]:
    """Those of `variant`, `backbone` and `version` that are given, as `Project` takes them.

    Raises:
        UserError: the variant or the backbone is unknown.
    """
    given = {name: getattr(options, name, None) for name in ("variant", "backbone", "version")}
    chosen = {name: value for name, value in given.items() if value is not None}
    if "variant" in chosen:
        find_variant(chosen["variant"])
    known = tuple(backbone.name for backbone in BACKBONES)
    if "backbone" in chosen and chosen["backbone"] not in known:
        raise ConfigError(
            f"There is no backbone {chosen['backbone']}; the backbones are {', '.join(known)}."
        )
    return chosen


def _names(
    text: str, option: str, known: Sequence[str], is_known: Callable[[str], bool]
) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names or not all(map(is_known, names)):
        raise ConfigError(f"{option} takes a list of {', '.join(known)}, and got {text!r}.")
    return names


def _is_variant(name: str) -> bool:
    try:
        find_variant(name)
    except UserError:
        return False
    return True
