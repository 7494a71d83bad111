"""The definitions of what is counted for a user, in NumPy, from a simulated arm."""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.datasets.experiment import ArmEvents
from llm_i2i_spark.online.latency import PERCENTILES, Latencies
from llm_i2i_spark.online.measures import COLUMNS
from llm_i2i_spark.online.moments import Moments


def user_values(events: ArmEvents) -> np.ndarray:
    """(users with an event, columns): `measures.COLUMNS` of each."""

    def count(users: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(users, weights, events.n_users).astype(np.float64)

    exposure_user = events.request_user[events.exposure_request]
    click_user = exposure_user[events.clicked]
    order_user = np.concatenate([click_user[events.ordered], events.other_user])
    exposures, orders = count(exposure_user), count(order_user)
    values = {
        "exposures": exposures,
        "clicks": count(click_user),
        "orders": orders,
        "amount": count(order_user, events.amount),
        "exposed": exposures > 0,
        "buyer": orders > 0,
        "exposed_buyer": (exposures > 0) & (orders > 0),
    }
    table = np.column_stack([values[name] for name in COLUMNS]).astype(np.float64)
    return table[(exposures > 0) | (orders > 0)]


def latency_moments(events: ArmEvents) -> tuple[Latencies, Moments]:
    """The latencies of an arm, and the moments that their percentiles' intervals come from."""
    latencies = Latencies.of(*np.unique(events.latency_ms, return_counts=True))
    below = [events.latency_ms <= latencies.percentile(share) for share in PERCENTILES]
    counts = [np.bincount(events.request_user, one, events.n_users) for one in (None, *below)]
    table = np.column_stack(counts).astype(np.float64)
    return latencies, Moments.of(table[table[:, 0] > 0])
