"""The Spark job: what it shuffles, what it costs beside its kernel, how it takes a hot item and a
log of 100 million clicks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from llm_i2i_spark.backbones.cooccurrence.item_blocks import assign_balanced
from llm_i2i_spark.kernels.arrays import read_only
from llm_i2i_spark.kernels.csr import UserCsr
from llm_i2i_spark.kernels.splitting import split_by_block
from tests.benchmarks.report import interleaved, log_message, median, process_seconds, report
from tests.benchmarks.swing.engine import GOLDEN, Run, engine
from tests.benchmarks.swing.kernel import marked, run_kernel
from tests.benchmarks.swing.logs import beauty, click_matrix, synthetic, with_hot_item
from tests.benchmarks.swing.options import CAP, Options
from tests.benchmarks.swing.processes import peak_memory

NUMBER_BYTES = 4
CAPPED = GOLDEN.model_copy(update={"max_users_per_item": CAP})
SHORT_WARM_UP, LONG_WARM_UP = 12, 3
"""Runs before the first that counts, of a job of seconds and of one of a minute: until the JVM has
compiled what is hot.
"""
HOT_SHARE = 0.01
LARGE = 14
"""Times the users of the synthetic log; ten times its items."""


def shuffle(options: Options) -> None:
    """Report shuffle_over_bound: bytes in shuffle files of the whole job over 4 bytes an id that
    has to travel.
    """
    clicks = beauty()
    spark = engine(options.folder)
    log = spark.write(clicks, "beauty")
    runs = [spark.run(log) for _ in range(options.repeat)]
    by_user = 2 * NUMBER_BYTES * len(clicks)
    by_block = block_bound(
        click_matrix(clicks),
        np.bincount(np.unique(clicks.items, return_inverse=True)[1]),
        runs[0].plan.blocks,
    )
    written = median(run.shuffled for run in runs)
    blocks = median(run.steps["blocks"].shuffled for run in runs)
    steps = {f"{name}_bytes": step.shuffled for name, step in runs[-1].steps.items()}
    bound = {
        "bound_bytes": by_user + by_block,
        "bound_by_user_bytes": by_user,
        "bound_by_block_bytes": by_block,
    }
    about = {"log": "beauty", "repeat": options.repeat, "blocks": runs[0].plan.blocks}
    report(
        "shuffle_over_bound",
        written / (by_user + by_block),
        "<=",
        1.3,
        bytes=written,
        block_exchange=blocks / by_block,
        **bound,
        **steps,
        **about,
    )


def block_bound(csr: UserCsr, clicks: np.ndarray, blocks: int) -> int:
    """4 bytes for the key and for each edge of a user, once for each block that they touch."""
    split = split_by_block(csr, read_only(assign_balanced(clicks, blocks)), blocks).csr
    return NUMBER_BYTES * (len(split.keys) + len(split.indices))


def job(options: Options) -> None:
    """Report job_over_kernel_core_seconds: the job's process tree over one process that has the
    click matrix and calls the kernel.
    """
    clicks = synthetic(options.users, options.items)
    csr = marked(click_matrix(clicks), CAP)
    spark = engine(options.folder)
    log = spark.write(clicks, "synthetic")
    runs: list[Run] = []
    jobs = {
        "job": _noted(partial(spark.run, log, CAPPED), runs, "core_seconds"),
        "kernel": lambda: process_seconds(partial(run_kernel, csr, CAP)),
    }
    _warm_up(jobs, LONG_WARM_UP)
    found = interleaved(options.repeat, jobs)
    seconds = {f"{name}_core_seconds": median(numbers) for name, numbers in found.items()}
    ratio = seconds["job_core_seconds"] / seconds["kernel_core_seconds"]
    about = {
        "clicks": len(clicks),
        "cap": CAP,
        "repeat": options.repeat,
        "blocks": runs[-1].plan.blocks,
    }
    counted = runs[-options.repeat :]
    wall = median(run.seconds for run in counted)
    about["steps"] = _core_seconds_by_step(counted)
    report("job_over_kernel_core_seconds", ratio, "<=", 4, job_seconds=wall, **seconds, **about)


def skew(options: Options) -> None:
    """Report skew: the job, uncapped, on a log with one more item of 1 % of all clicks, over the
    log without it.
    """
    balanced = synthetic(options.users, options.items)
    skewed = with_hot_item(balanced, HOT_SHARE)
    spark = engine(options.folder)
    logs = {"balanced": spark.write(balanced, "balanced"), "skewed": spark.write(skewed, "skewed")}
    jobs = {name: _noted(partial(spark.run, log), [], "seconds") for name, log in logs.items()}
    _warm_up(jobs, LONG_WARM_UP)
    found = {
        f"{name}_seconds": median(numbers)
        for name, numbers in interleaved(options.repeat, jobs).items()
    }
    about = {
        "clicks": len(balanced),
        "hot_item_clicks": len(skewed) - len(balanced),
        "repeat": options.repeat,
    }
    about["hottest_before"] = int(np.bincount(balanced.items).max())
    report("skew", found["skewed_seconds"] / found["balanced_seconds"], "<=", 1.5, **found, **about)


def large(options: Options) -> None:
    """Report large_memory and large_rate: 100 million clicks, once, and the small log before it for
    the rate.
    """
    small = synthetic(options.users, options.items)
    spark = engine(options.folder)
    log = spark.write(small, "synthetic")
    rates = []
    for _ in range(LONG_WARM_UP + min(options.repeat, 3)):
        rates.append(len(small) / spark.run(log, CAPPED).core_seconds)
    rate = median(rates[LONG_WARM_UP:])
    clicks = synthetic(LARGE * options.users, 10 * options.items)
    n = len(clicks)
    log = spark.write(clicks, "large")
    del clicks
    log_message(f"  {n:,} clicks; the small log ran at {rate:,.0f} clicks a core-second")
    with peak_memory() as peak:
        run = spark.run(log, CAPPED)
    about = {
        "clicks": n,
        "cap": CAP,
        "repeat": 1,
        "blocks": run.plan.blocks,
        "shipped_edges": run.plan.shipped_edges,
    }
    about |= {
        "seconds": run.seconds,
        "core_seconds": run.core_seconds,
        "steps": _core_seconds_by_step([run]),
    }
    report("large_memory", peak.bytes / 1e9, "<=", 10, unit="GB, process tree, PSS", **about)
    large_rate = n / run.core_seconds
    rates = {
        "small_clicks": len(small),
        "small_clicks_a_core_second": rate,
        "large_clicks_a_core_second": large_rate,
    }
    report("large_rate", rate / large_rate, "<=", 1.5, **rates, **about)


def _core_seconds_by_step(runs: list[Run]) -> dict[str, float]:
    return {
        step: round(median(run.steps[step].core_seconds for run in runs), 2)
        for step in runs[0].steps
    }


def _noted(run: Callable[[], Run], runs: list[Run], what: str) -> Callable[[], float]:
    """The job as a function that returns one of its numbers and keeps the others in `runs`."""

    def measured() -> float:
        runs.append(run())
        return float(getattr(runs[-1], what))

    return measured


def _warm_up(jobs: dict[str, Callable[[], float]], times: int) -> None:
    for name, measured in jobs.items():
        for _ in range(times):
            log_message(f"  warm-up, {name}: {measured():.4g}")
