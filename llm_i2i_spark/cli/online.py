"""`online` and `replay`: the measures of an A/B test, and what can be known of them before one."""

from __future__ import annotations

import argparse
from typing import Any

from llm_i2i_spark.base.errors import ConfigError, require_at_least_one
from llm_i2i_spark.cli.options import add_command, add_systems, systems_of
from llm_i2i_spark.cli.session import open_project, show
from llm_i2i_spark.config.config import Config


def add_commands(commands: Any) -> None:
    """Add the commands of this group."""
    online = add_command(
        commands,
        "online",
        "RN, L2P, CTR, CVR, GMV and latency of two arms of an A/B test, from its event log",
        _online,
    )
    online.add_argument(
        "file",
        metavar="FILE",
        help="Parquet, CSV, JSON lines or Delta: arm, user_id, item_id, event (exposure, click,"
        " order); where there are any: amount, latency_ms, request_id, ts",
    )
    online.add_argument(
        "--control", metavar="ARM", help="what differences are over (default: the arm `control`)"
    )
    online.add_argument("--treatment", metavar="ARM", help="the arm with the new index")
    online.add_argument(
        "--expected-split",
        default="1:1",
        metavar="C:T",
        help="users assigned to control and treatment, such as 9:1 (default: 1:1)",
    )
    replay = add_command(
        commands,
        "replay",
        "RN and L2P that the lookups of the evaluated indexes would have had, from held-out clicks",
        _replay,
    )
    add_systems(replay, default=None)
    replay.add_argument(
        "--baseline",
        metavar="VARIANT[/BACKBONE]",
        help="what the differences are over (default: real with the first backbone)",
    )
    replay.add_argument(
        "--k", type=int, help="items that a lookup returns at most (default: all that it finds)"
    )
    replay.add_argument(
        "--events",
        metavar="A,B,...",
        help="which held-out interactions count, by their event, such as purchase (default: all)",
    )


def _online(options: argparse.Namespace, config: Config) -> None:
    split = _split(options.expected_split)
    from llm_i2i_spark.online.compare_arms import compare_arms

    found = compare_arms(options.file, options.control, options.treatment, split, config=config)
    show(options, found.to_dict(), found.lines())


def _split(text: str) -> tuple[float, float]:
    try:
        control, treatment = (float(part) for part in text.split(":"))
    except ValueError:
        raise ConfigError(
            f"--expected-split wants two numbers, control first, such as 1:1, and got {text!r}."
        ) from None
    return control, treatment


def _replay(options: argparse.Namespace, config: Config) -> None:
    if options.k is not None:
        require_at_least_one("--k", options.k)
    events = options.events and [one.strip() for one in options.events.split(",") if one.strip()]
    if options.events is not None and not events:
        raise ConfigError("--events wants at least one event, such as --events purchase.")
    found = open_project(config).replay(
        **systems_of(options), baseline=options.baseline, k=options.k, events=events
    )
    show(options, found.to_dict(), found.lines())
