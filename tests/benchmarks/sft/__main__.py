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


def main() -> int:
    options = parse(sys.argv[1:])
    from tests.benchmarks.sft.steps import measure_steps

    return measure_each(
        options.only.split(","), lambda role: measure_steps(role, options.repeat, options.scale)
    )


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="sft", description=__doc__)
    parser.add_argument("--only", default=",".join(ROLES), help=f"some of {', '.join(ROLES)}")
    parser.add_argument("--repeat", type=int, default=7, help="runs behind a median")
    parser.add_argument("--scale", type=float, default=1.0, help="of the steps of a run")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
