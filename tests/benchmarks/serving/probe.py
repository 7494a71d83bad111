"""In a fresh process on one core: open an index that was opened before, and merge the lists of a
hundred random items again and again.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path

TRIGGERS, MERGES = 100, 3_000


def main(lake: str, items: int) -> None:
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    start = time.perf_counter()
    from llm_i2i_spark.serving.lookup import Lookup

    imported = time.perf_counter()
    lookup = Lookup.open(lake, recent_items=TRIGGERS)
    opened = time.perf_counter()
    from tests.benchmarks.serving.index import item_id

    after_open = _resident()
    draw = random.Random(3)
    queries = [[item_id(draw.randrange(items)) for _ in range(TRIGGERS)] for _ in range(MERGES)]
    for clicks in queries:  # what is measured is in memory, as on a server that has run a while
        lookup.recommend(clicks)
    wall, core = [], []
    for clicks in queries:
        before, core_before = time.perf_counter(), time.thread_time()
        lookup.recommend(clicks)
        core.append(1e3 * (time.thread_time() - core_before))
        wall.append(1e3 * (time.perf_counter() - before))
    found = {
        "import_seconds": imported - start,
        "open_seconds": opened - imported,
        "p50_ms": sorted(wall)[MERGES // 2],
        "p99_ms": sorted(wall)[MERGES * 99 // 100],
        "core_p50_ms": sorted(core)[MERGES // 2],
        "core_p99_ms": sorted(core)[MERGES * 99 // 100],
        "private_bytes_after_open": after_open["RssAnon"],
        "private_bytes": _resident()["RssAnon"],
        "mapped_bytes": _resident()["RssFile"],
    }
    sys.stdout.write(json.dumps(found))


def _resident() -> dict[str, int]:
    """Linux: resident pages that are this process's own, and those of mapped files."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    pairs = (line.split(":") for line in lines if line.startswith("Rss"))
    return {name: int(value.split()[0]) * 1024 for name, value in pairs}


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
