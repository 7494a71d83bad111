"""`make benchmark BENCH=swing`: measure Swing, one JSON object a line."""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from tests.benchmarks.report import measure_each
from tests.benchmarks.swing.options import Options

GROUPS = {
    "golden": "golden",
    "kernel": "kernel",
    "shuffle": "job",
    "job": "job",
    "skew": "job",
    "peers": "peers",
    "memory": "memory",
    "increment": "increment",
    "large": "job",
    "peers_large": "peers",
}
"""What `--only` knows, and the module whose function of that name runs it."""

ON_REQUEST = ("large", "peers_large")


def main() -> int:
    options, names = parse(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="swing-benchmark-") as folder:
        given = Options(options.repeat, options.scale, Path(folder))

        def run(name: str) -> None:
            module = import_module(f"tests.benchmarks.swing.{GROUPS[name]}")
            getattr(module, name)(given)

        return measure_each(names, run)


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The options, and the groups to run."""
    parser = argparse.ArgumentParser(prog="swing", description=__doc__)
    parser.add_argument(
        "--only",
        default="",
        help=(
            f"groups, comma-separated, of {', '.join(GROUPS)}; {' and '.join(ON_REQUEST)} only when"
            " named"
        ),
    )
    parser.add_argument("--repeat", type=int, default=5, help="runs behind a median")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of the synthetic logs, for a quick look"
    )
    options = parser.parse_args(arguments)
    names = [name for name in options.only.split(",") if name] or [
        name for name in GROUPS if name not in ON_REQUEST
    ]
    unknown = [name for name in names if name not in GROUPS]
    if unknown or options.repeat < 1:
        parser.error(
            f"there is no {', '.join(unknown)}; choose from {', '.join(GROUPS)}"
            if unknown
            else "--repeat is at least 1"
        )
    return options, names


if __name__ == "__main__":
    sys.exit(main())
