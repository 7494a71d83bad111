"""`make benchmark BENCH=lm`: language models with random weights at the speed of the machine, one
JSON object a line. A Llama of a billion parameters in bf16 on a GPU; a small one in fp32 on a CPU,
where the goals do not hold. Needs neither Spark nor network.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from tests.benchmarks.report import LeftOut, measure_each

PARTS = ("scoring", "generation", "training", "attention")


def main() -> int:
    options = parse(sys.argv[1:])

    def run(name: str) -> None:
        if name not in PARTS:
            raise LeftOut(f"there is no such part; there are {', '.join(PARTS)}")
        import_module(f"tests.benchmarks.lm.{name}").measure(options.repeat, options.scale)

    return measure_each(options.only.split(","), run)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="lm", description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--repeat", type=int, default=3, help="runs behind each median")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of users")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
