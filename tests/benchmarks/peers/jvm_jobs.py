"""What both peers' scripts share; it runs on their own old Pythons, so on 3.7."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable

# Flink's serialisers reflect into the JDK.
OPENED = ("lang", "lang.reflect", "math", "net", "nio", "text", "time", "util", "util.concurrent")


def open_jdk() -> None:
    """Let the JVM that is started next reflect into itself, unless the variable is set already.

    The java launcher of Java 9+ reads it, that of Java 8 ignores it.
    """
    os.environ.setdefault(
        "JDK_JAVA_OPTIONS",
        " ".join(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in OPENED),
    )


def seconds(job: Callable[[], object], repeat: int) -> tuple[float, float]:
    """Run the job once cold and `repeat` times warm.

    Returns:
        The first run's seconds and the median of the warm ones.
    """
    taken = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        job()
        taken.append(time.perf_counter() - start)
    return taken[0], statistics.median(taken[1:])
