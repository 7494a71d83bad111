"""`make benchmark BENCH=sft`: a training step of the default compact model on a CPU, at the shapes
of Beauty, one JSON object a line.
"""

from __future__ import annotations

import argparse
import os
import sys

from tests.benchmarks.report import measure_each

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROLES = ("generator", "discriminator")
LARGE = "large"


def main() -> int:
    options = parse(sys.argv[1:])
    from tests.benchmarks.sft.large import measure_memory
    from tests.benchmarks.sft.steps import measure_steps

    def measure(name: str) -> None:
        if name == LARGE:
            measure_memory(options.keep, options.scale)
        else:
            measure_steps(name, options.repeat, options.scale)

    return measure_each(options.only.split(","), measure)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="sft", description=__doc__)
    parser.add_argument(
        "--only", default=",".join(ROLES), help=f"some of {', '.join((*ROLES, LARGE))}"
    )
    parser.add_argument("--keep", default=None, help="folder of the large log, which stays")
    parser.add_argument("--repeat", type=int, default=7, help="runs behind a median")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of the steps, or of the large log"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
