"""An A/B test from its event log: RN, L2P, CTR, CVR, GMV and latency of two arms, compared."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame

from llm_i2i_spark.base.errors import ConfigError, InputDataError
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.evaluate.evaluate_systems import cached
from llm_i2i_spark.lake.frames import Frame
from llm_i2i_spark.lake.row_files import explained_rows
from llm_i2i_spark.lake.session import open_session, session_settings
from llm_i2i_spark.online.comparison import ArmComparison, ArmFigure
from llm_i2i_spark.online.event_log import (
    EventLog,
    read_event_log,
    require_event_file,
)
from llm_i2i_spark.online.latency import (
    PERCENTILES,
    Latencies,
    percentile_difference,
    percentile_estimates,
)
from llm_i2i_spark.online.measures import AMOUNT, CLICKS, COLUMNS, EXPOSURES, MEASURES, ORDERS
from llm_i2i_spark.online.moments import Moments, relative_difference
from llm_i2i_spark.online.sample_ratio import SampleRatio, read_split
from llm_i2i_spark.online.user_sums import (
    LogCounts,
    count_latencies,
    count_log,
    moments_by,
    request_moments,
    rounded,
    select_requests,
    sum_users,
)

CONTROL = "control"
"""The arm of this name, in any case of letters, is the control where none is named."""
SHOWN_ARMS = 10


def compare_arms(
    log: str | Path | Frame,
    control: str | None = None,
    treatment: str | None = None,
    expected_split: tuple[float, float] = (1, 1),
    settings: Mapping[str, Any] | None = None,
    config: Config | None = None,
) -> ArmComparison:
    """Compare two arms of an A/B test by the paper's online measures.

    The unit of randomisation is the user, so every interval is over users: of values by the delta
    method (Deng, Knoblich and Lu 2018, see `online.moments`), of percentiles of latency by order
    statistics (`online.latency`); formulas of the measures and what the paper leaves open stand in
    `online.measures`. A user counts in an arm who has at least one row in it: write a row for
    everybody whom the arm concerns, orders of users without an exposure included, since L2P and the
    means of a user are over them.

    Args:
        log: a DataFrame of Spark or pandas, or a path or URI: Parquet, CSV with a header, JSON
            lines or a Delta folder. A row is an event: `arm`, `user_id`, `item_id`, `event`
            (exposure or impression, click, order or purchase), `amount` (of orders, in one
            currency), and where there are any `request_id`, `latency_ms` (of exposures,
            milliseconds) and `ts`. The same event twice counts twice.
        control: the arm that differences are over; None for the one called `control`, or the
            other one where `treatment` is named and there are two.
        treatment: the arm with the new index; None for the other one where there are two.
        expected_split: users of control to users of treatment, as they were assigned.
        settings: options by dotted key, such as `{"spark.memory": "8g"}`.
        config: a whole configuration, below the other arguments.

    Returns:
        The measures of both arms with 95 % intervals, the relative differences, the check of the
        sample ratio, and what was left out: rows that are not usable, by reason, and users with
        rows in more than one arm.

    Raises:
        UserError: the log cannot be read or lacks a column, or the arms are not in it.
    """
    split = read_split(expected_split)
    if isinstance(log, (str, Path)):
        require_event_file(str(log))
    loaded = load_config(base=config, overrides=dict(settings or {}))
    place = Path(tempfile.gettempdir()) / "llm-i2i-spark.log"
    spark = open_session(loaded.spark, place)
    is_file = isinstance(log, (str, Path))
    reading = explained_rows("event log", str(log)) if is_file else nullcontext()
    with session_settings(spark), reading:
        events = read_event_log(spark, log)
        counts = count_log(events)
        arms = choose_arms(counts, control, treatment)
        return _compare(events, counts, arms, split)


def choose_arms(counts: LogCounts, control: str | None, treatment: str | None) -> tuple[str, str]:
    """The two arms that are compared, control first.

    Raises:
        ConfigError: they are not named, and the log does not tell.
        InputDataError: the log has no usable row.
    """
    if not counts.arms:
        reasons = ", ".join(f"{reason}: {rows:,}" for reason, rows in counts.bad.items())
        raise InputDataError(
            f"The event log has no usable row{f' ({reasons})' if reasons else ''}; write it again."
        )
    there = list(counts.arms)
    shown = ", ".join(there[:SHOWN_ARMS]) + (", ..." if len(there) > SHOWN_ARMS else "")
    for name in filter(None, (control, treatment)):
        if name not in there:
            raise ConfigError(f"The event log has no arm {name}; it has {shown}.")
    if control is None:
        named = [arm for arm in there if arm.lower() == CONTROL and arm != treatment]
        others = [arm for arm in there if arm != treatment]
        control = next(iter(named), others[0] if treatment and len(there) == 2 else None)
    others = [arm for arm in there if arm != control]
    if treatment is None and len(others) == 1:
        treatment = others[0]
    if control is None or treatment is None or control == treatment:
        raise ConfigError(
            f"Name two arms with --control ARM --treatment ARM; the event log has {shown}."
        )
    return control, treatment


def _compare(
    events: EventLog, counts: LogCounts, arms: tuple[str, str], split: tuple[float, float]
) -> ArmComparison:
    users = sum_users(events.good)
    moments = moments_by(users, COLUMNS, "arm")
    in_several = moments[None].users if None in moments else 0
    for arm in arms:
        if arm not in moments:
            raise InputDataError(
                f"Every user of arm {arm} has rows in another arm too, so there is nothing to"
                " compare; assign each user to one arm."
            )
    pair = moments[arms[0]], moments[arms[1]]
    figures = [figure for figure in _figures(pair) if events.has_amounts or figure.name != "gmv"]
    if events.has_latencies:
        kept = events.good
        if in_several:
            kept = kept.join(users.where("arm IS NULL").select("user_id"), "user_id", "left_anti")
        figures += _latency_figures(kept, arms)
    return ArmComparison(
        control=arms[0],
        treatment=arms[1],
        sample_ratio=SampleRatio((pair[0].users, pair[1].users), split),
        totals={arm: _totals(one, events.has_amounts) for arm, one in zip(arms, pair, strict=True)},
        figures=tuple(figures),
        bad_rows=counts.bad,
        other_rows={arm: rows for arm, rows in counts.arms.items() if arm not in arms},
        users_in_several_arms=in_several,
    )


def _totals(moments: Moments, with_amounts: bool) -> dict[str, float]:
    names = (EXPOSURES, CLICKS, ORDERS, *((AMOUNT,) if with_amounts else ()))
    return {name: float(moments.sums[COLUMNS.index(name)]) for name in names}


def _figures(moments: tuple[Moments, Moments]) -> list[ArmFigure]:
    found = []
    for measure in MEASURES:
        theirs, ours = measure.of(moments[0]), measure.of(moments[1])
        found.append(
            ArmFigure(
                measure.name,
                measure.title,
                measure.estimate(theirs) if theirs else None,
                measure.estimate(ours) if ours else None,
                relative_difference(ours, theirs) if ours and theirs else None,
                measure.number_format,
            )
        )
    return found


def _latency_figures(good: DataFrame, arms: Sequence[str]) -> list[ArmFigure]:
    with cached() as stage:
        requests = stage(rounded(select_requests(good, arms)), "online: requests")
        latencies = count_latencies(requests)
        if set(arms) - set(latencies):
            return []
        return latency_figures(latencies, request_moments(requests, latencies), arms)


def latency_figures(
    latencies: Mapping[str, Latencies],
    moments: Mapping[str | None, Moments],
    arms: Sequence[str],
) -> list[ArmFigure]:
    """The percentiles of latency in both arms.

    Args:
        latencies: by arm.
        moments: by arm, as `latency.percentile_estimates` takes them.
        arms: control and treatment.
    """
    theirs, ours = (percentile_estimates(latencies[arm], moments[arm]) for arm in arms)
    return [
        ArmFigure(
            f"latency_p{round(100 * share)}",
            f"latency, {_percentile_name(share)}, ms",
            their,
            our,
            percentile_difference(our, their),
            ",.2f",
        )
        for share, their, our in zip(PERCENTILES, theirs, ours, strict=True)
    ]


def _percentile_name(share: float) -> str:
    return "median" if share == 0.5 else f"{round(100 * share)}th percentile"
