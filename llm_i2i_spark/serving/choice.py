"""Which of the indexes in a table is meant where nobody says it."""

from __future__ import annotations

from collections.abc import Collection

from llm_i2i_spark.base.errors import TableNotFoundError
from llm_i2i_spark.base.variants import LLM_I2I, REAL, SERVED

PREFERRED_VARIANTS = (LLM_I2I.name, REAL.name)
PREFERRED_BACKBONE = "swing"


def choose_index(
    present: Collection[tuple[str, str]], variant: str | None = None, backbone: str | None = None
) -> tuple[str, str]:
    """The variant and backbone to read, of those in a table.

    What is named is taken by its letter. Where no variant is named, llm_i2i comes before real and
    both before all others, and `<variant>_served`, made from all interactions, before its evaluated
    twin; where no backbone is named, Swing comes first. What is equal goes by name.

    Args:
        present: the (variant, backbone) pairs that have lists.
        variant: the one to read; None for the preferred one.
        backbone: likewise.

    Raises:
        TableNotFoundError: there are no such lists; names those that are there.
    """
    fitting = [
        pair for pair in present if variant in (None, pair[0]) and backbone in (None, pair[1])
    ]
    if not fitting:
        raise _absent(present, variant, backbone)
    return min(fitting, key=_preference)


def _preference(pair: tuple[str, str]) -> tuple[int, str, bool, bool, str]:
    variant, backbone = pair
    evaluated = variant.removesuffix(SERVED)
    known = evaluated in PREFERRED_VARIANTS
    place = PREFERRED_VARIANTS.index(evaluated) if known else len(PREFERRED_VARIANTS)
    return place, evaluated, evaluated == variant, backbone != PREFERRED_BACKBONE, backbone


def _absent(
    present: Collection[tuple[str, str]], variant: str | None, backbone: str | None
) -> TableNotFoundError:
    named = {"variant": variant, "backbone": backbone}
    words = " and ".join(f"{kind} {name}" for kind, name in named.items() if name is not None)
    absent = f"The index has no lists of {words}" if words else "The index has no lists"
    others = " or ".join(f"--variant {one} --backbone {other}" for one, other in sorted(present))
    ask = f"ask for {others}, or run" if others else "run"
    made = f" with --variants {variant}" if variant is not None else ""
    return TableNotFoundError(f"{absent}; {ask} stage index{made}.")
