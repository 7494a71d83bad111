"""`make benchmark BENCH=sft`: a training step of the default compact model on a CPU, at the shapes
of Beauty, one JSON object a line.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback

from tests.benchmarks.swing.report import LeftOut, report_left_out

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROLES = ("generator", "discriminator")


def main() -> int:
    options = parse(sys.argv[1:])
    from tests.benchmarks.sft.steps import measure_steps

    failed = False
    for role in options.only.split(","):
        try:
            measure_steps(role, options.repeat, options.scale)
        except LeftOut as why:
            report_left_out(role, str(why))
        except Exception as error:
            failed = True
            traceback.print_exc()
            report_left_out(role, f"it failed: {type(error).__name__}: {error}")
    return int(failed)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="sft", description=__doc__)
    parser.add_argument("--only", default=",".join(ROLES), help=f"some of {', '.join(ROLES)}")
    parser.add_argument("--repeat", type=int, default=7, help="runs behind a median")
    parser.add_argument("--scale", type=float, default=1.0, help="of the steps of a run")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
