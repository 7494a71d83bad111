"""`make benchmark BENCH=lm`: language models with random weights at the speed of the machine, one
JSON object a line. A Llama of a billion parameters in bf16 on a GPU; a small one in fp32 on a CPU,
where the goals do not hold. Needs neither Spark nor network.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable

from tests.benchmarks.swing.report import LeftOut, log_message, report_left_out

PARTS = ("scoring", "generation", "training", "attention")


def main() -> int:
    options = parse(sys.argv[1:])
    failed = False
    for name in options.only.split(","):
        log_message(f"{name}:")
        try:
            _measure(name)(options.repeat, options.scale)
        except LeftOut as why:
            report_left_out(name, str(why))
        except Exception as error:
            failed = True
            traceback.print_exc()
            report_left_out(name, f"it failed: {type(error).__name__}: {error}")
    return int(failed)


def _measure(name: str) -> Callable[[int, float], None]:
    if name == "scoring":
        from tests.benchmarks.lm.scoring import measure_scoring as found
    elif name == "generation":
        from tests.benchmarks.lm.generation import measure_generation as found
    elif name == "training":
        from tests.benchmarks.lm.training import measure_training as found
    elif name == "attention":
        from tests.benchmarks.lm.attention import measure_attention as found
    else:
        raise LeftOut(f"there is no such part; there are {', '.join(PARTS)}")
    return found


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="lm", description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--repeat", type=int, default=3, help="runs behind each median")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of users")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
