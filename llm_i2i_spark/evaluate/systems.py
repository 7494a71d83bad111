"""What is compared: systems, each an index of one variant of the interactions by one backbone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

BASELINE = "real"
"""The variant that others are compared with: the interactions as they are."""

FIRST_VARIANTS = (BASELINE, "llm_i2i")
"""The variants that tables begin with."""

EXTERNAL = "external"
"""Stands for the backbone of an index that another program made."""


class System(NamedTuple):
    """One index: the variant of the interactions that it was made from, and the backbone."""

    variant: str
    backbone: str


def system_names(systems: Iterable[tuple[str, str]]) -> dict[System, str]:
    """What each system is called: its variant, and the backbone too where there are several;
    backbone by backbone, `real` first, then `llm_i2i`.
    """
    ordered = sorted({System(*system) for system in systems}, key=_reading_order)
    several = len({system.backbone for system in ordered}) > 1
    return {
        system: f"{system.variant} · {system.backbone}" if several else system.variant
        for system in ordered
    }


def baselines_of(systems: Sequence[tuple[str, str]]) -> list[int | None]:
    """For each system the position of `real` on the same backbone; None for that one itself, and
    where it is not there.
    """
    positions = {system: position for position, system in enumerate(systems)}
    return [
        None if variant == BASELINE else positions.get((BASELINE, backbone))
        for variant, backbone in systems
    ]


def _reading_order(system: System) -> tuple[str, int, str]:
    known = system.variant in FIRST_VARIANTS
    position = FIRST_VARIANTS.index(system.variant) if known else len(FIRST_VARIANTS)
    return system.backbone, position, system.variant
