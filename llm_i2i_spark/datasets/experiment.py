"""A synthetic A/B test: the event log of two arms whose true measures are known in closed form.

Users differ in how often they come, in how readily they click and in how far the server is, so that
the events of one user are correlated as in a real log: an interval that takes exposures for
independent is too narrow on it. A user makes N ~ Poisson(visits) requests, each of which shows as
many items as the arm's lookup returns; a shown item is clicked with a probability of the user's
own, a click ends in an order with the arm's probability; some orders come without any
recommendation, after all requests. A user without any event is not in the log.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, sqrt
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.files import open_atomically
from llm_i2i_spark.datasets.counter_random import Float64Array, Int64Array

VISITS = (0.5, 2.0, 6.0)
"""Mean requests of the three kinds of users."""
VISIT_SHARES = (0.4, 0.4, 0.2)
TASTES = (0.4, 1.6)
"""Factors of the click probability, each of half of the users, independent of the visits."""
AMOUNT_MEDIAN, AMOUNT_SIGMA = 20.0, 0.8
"""Of the log-normal amount of an order."""
LATENCY_SIGMA_USER, LATENCY_SIGMA_REQUEST = 0.3, 0.4
"""Standard deviations of log latency among users, and among the requests of one."""
FIRST_SECOND, DAY = 1_704_067_200, 86_400
ITEMS = 1_000
SCHEMA = pa.schema(
    [
        ("arm", pa.string()),
        ("user_id", pa.string()),
        ("request_id", pa.string()),
        ("item_id", pa.string()),
        ("event", pa.string()),
        ("amount", pa.float64()),
        ("latency_ms", pa.float64()),
        ("ts", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True)
class SyntheticArm:
    """What is true of one arm.

    Attributes:
        name: in the column `arm`.
        items: how many items a lookup returns: the arm's RN a request.
        click: mean probability that a shown item is clicked: CTR.
        order: probability that a click ends in an order.
        other_orders: mean number of a user's orders without a recommendation.
        latency_ms: median latency of a request.
    """

    name: str
    items: int
    click: float
    order: float
    other_orders: float
    latency_ms: float

    def truth(self) -> dict[str, float]:
        """The values that the measures of `compare_arms` estimate, by name.

        With requests N ~ Poisson(v), the orders that follow from them have the probability
        generating function of a compound Poisson law, so P(none) = exp(v ((1 - c o)^items - 1)).
        """
        exposed = bought = both = seen = 0.0
        no_other = exp(-self.other_orders)
        for visits, share in zip(VISITS, VISIT_SHARES, strict=True):
            for taste in TASTES:
                weight = share / len(TASTES)
                none = exp(visits * ((1 - self.click * taste * self.order) ** self.items - 1))
                exposed += weight * (1 - exp(-visits))
                bought += weight * (1 - no_other * none)
                both += weight * (1 - exp(-visits) - no_other * (none - exp(-visits)))
                seen += weight * (1 - no_other * exp(-visits))
        requests = float(np.dot(VISITS, VISIT_SHARES))
        clicks = requests * self.items * self.click
        orders = clicks * self.order + self.other_orders
        sigma = sqrt(LATENCY_SIGMA_USER**2 + LATENCY_SIGMA_REQUEST**2)
        return {
            "rn": requests * self.items / seen,
            "l2p": both / bought,
            "purchase_rate": both / exposed,
            "ctr": self.click,
            "cvr": orders / clicks,
            "gmv": orders * AMOUNT_MEDIAN * exp(AMOUNT_SIGMA**2 / 2) / seen,
            "latency_p50": self.latency_ms,
            "latency_p95": self.latency_ms * exp(1.6448536269514722 * sigma),
            "latency_p99": self.latency_ms * exp(2.3263478740408408 * sigma),
        }


CONTROL = SyntheticArm("control", 10, 0.05, 0.05, 0.05, 12.0)
TREATMENT = replace(CONTROL, name="treatment", items=11, click=0.052, latency_ms=12.1)


class ArmEvents(NamedTuple):
    """The events of one arm as arrays.

    Attributes:
        request_user: (requests,) number of the user.
        latency_ms: (requests,) latency of each.
        exposure_request: (exposures,) the request that showed an item; a request's are together.
        clicked: (clicks,) the exposure that was clicked.
        ordered: (orders from clicks,) the click that ended in an order.
        other_user: (other orders,) number of the user.
        amount: (orders,) of those from clicks, then of the others.
        n_users: users of the arm, those without an event included.
    """

    request_user: Int64Array
    latency_ms: Float64Array
    exposure_request: Int64Array
    clicked: Int64Array
    ordered: Int64Array
    other_user: Int64Array
    amount: Float64Array
    n_users: int


def simulate_arm(arm: SyntheticArm, n_users: int, random: np.random.Generator) -> ArmEvents:
    """The events of an arm.

    Args:
        arm: what is true of it.
        n_users: users assigned to it.
        random: where its random numbers come from.
    """
    visits = random.choice(VISITS, n_users, p=VISIT_SHARES)
    taste = random.choice(TASTES, n_users)
    distance = random.normal(0, LATENCY_SIGMA_USER, n_users)
    request_user = np.repeat(np.arange(n_users), random.poisson(visits))
    noise = random.normal(0, LATENCY_SIGMA_REQUEST, len(request_user))
    latency = arm.latency_ms * np.exp(distance[request_user] + noise)
    exposure_request = np.repeat(np.arange(len(request_user)), arm.items)
    chance = arm.click * taste[request_user[exposure_request]]
    clicked = np.flatnonzero(random.random(len(exposure_request)) < chance)
    ordered = np.flatnonzero(random.random(len(clicked)) < arm.order)
    other_user = np.repeat(np.arange(n_users), random.poisson(arm.other_orders, n_users))
    orders = len(ordered) + len(other_user)
    amount = AMOUNT_MEDIAN * np.exp(random.normal(0, AMOUNT_SIGMA, orders))
    return ArmEvents(
        request_user,
        np.round(latency, 3),
        exposure_request,
        clicked,
        ordered,
        other_user,
        np.round(amount, 2),
        n_users,
    )


def write_experiment(
    path: str | Path,
    n_users: int = 20_000,
    seed: int = 42,
    arms: tuple[SyntheticArm, SyntheticArm] = (CONTROL, TREATMENT),
) -> Path:
    """Write the event log of a synthetic A/B test as one Parquet file, about 26 rows a user.

    Args:
        path: of the file; one of this name is replaced.
        n_users: of both arms together, at least 2; each user's arm is drawn with even chances.
        seed: of every random number.
        arms: what is true of control and treatment; `SyntheticArm.truth` has the true measures.

    Returns:
        The path.

    Raises:
        ConfigError: there would be too few users.
    """
    if n_users < 2:
        raise ConfigError(f"An A/B test wants at least 2 users, and was asked for {n_users}.")
    table = experiment_log(n_users, seed, arms)
    with open_atomically(path) as file:
        pq.write_table(table, file, write_page_checksum=True)
    return Path(path)


def experiment_log(
    n_users: int, seed: int, arms: tuple[SyntheticArm, SyntheticArm] = (CONTROL, TREATMENT)
) -> pa.Table:
    """The event log of a synthetic A/B test: see `write_experiment`.

    Returns:
        The columns of `SCHEMA`, a row an event; the requests of a user are seconds apart, clicks
        and orders follow on what they come from, other orders come last.
    """
    random = np.random.default_rng(seed)
    treated = int(random.binomial(n_users, 0.5))
    tables = []
    for arm, users in zip(arms, (n_users - treated, treated), strict=True):
        tables.append(_rows(arm, simulate_arm(arm, users, random), random))
    return pa.concat_tables(tables)


def _rows(arm: SyntheticArm, events: ArmEvents, random: np.random.Generator) -> pa.Table:
    """The rows of an arm: its exposures, clicks and orders."""
    requests, exposures = len(events.request_user), len(events.exposure_request)
    clicked_request = events.exposure_request[events.clicked]
    ordered_request = clicked_request[events.ordered]
    request_second = (random.random(requests) * 6 * DAY).astype(np.int64)
    item = random.integers(0, ITEMS, exposures)
    other_item = random.integers(0, ITEMS, len(events.other_user))
    none = np.full(len(events.other_user), -1)
    request = np.concatenate([events.exposure_request, clicked_request, ordered_request, none])
    user = np.concatenate([events.request_user[request[request >= 0]], events.other_user])
    second = np.concatenate(
        [
            request_second[events.exposure_request],
            request_second[clicked_request] + 30,
            request_second[ordered_request] + 300,
            np.full(len(none), 7 * DAY),
        ]
    )
    sizes = exposures, len(events.clicked), len(events.amount)
    kinds = np.repeat(["exposure", "click", "order"], sizes)
    items = np.concatenate(
        [item, item[events.clicked], item[events.clicked[events.ordered]], other_item]
    )
    amount = np.concatenate([np.full(sizes[0] + sizes[1], np.nan), events.amount])
    latency = np.full(len(request), np.nan)
    latency[:exposures] = events.latency_ms[events.exposure_request]
    columns = [
        pa.array([arm.name]).take(pa.array(np.zeros(len(request), np.int64))),
        _ids(f"{arm.name[0]}u", user),
        pc.if_else(pa.array(request >= 0), _ids(f"{arm.name[0]}r", request), None),
        _ids("i", items),
        pa.array(kinds, pa.string()),
        pa.array(amount, mask=np.isnan(amount)),
        pa.array(latency, mask=np.isnan(latency)),
        pa.array((FIRST_SECOND + second) * 1_000_000).cast(SCHEMA.field("ts").type),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _ids(prefix: str, numbers: Int64Array) -> pa.Array:
    texts = pa.array(numbers).cast(pa.string())
    return pc.binary_join_element_wise(pa.scalar(prefix), texts, "")
