"""Keys that were renamed: a configuration written for an earlier version is still read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RENAMED = {
    "ingest.holdout": "split.holdout",
    "ingest.holdout_share": "split.holdout_share",
    "evaluate.protocol": "split.protocol",
    "ingest.repeats": "ingest.deduplicate_keep",
    "ingest.ties": "ingest.tie_order",
    "sft.processes": "sft.nproc_per_node",
    "fuse.scale": "fuse.soft_weight_scale",
    "i2i.steps": "i2i.transitions.window",
    "i2i.grouping": "i2i.partitioning",
}
"""Old key -> new key."""

RENAMED_VALUES: dict[str, dict[str, str]] = {
    "i2i.partitioning": {"even": "balanced"},
    "i2i.engine": {"projection": "reference"},
}
"""New key -> old value -> new value."""


def apply_aliases(values: dict[str, Any]) -> dict[str, Any]:
    """The settings under the names that this version knows; the new key wins where both are given.

    Args:
        values: nested settings as read from files; not changed.
    """
    result = _copy(values)
    for old, new in RENAMED.items():
        section, key = old.split(".")
        group = result.get(section)
        if isinstance(group, dict) and key in group:
            _set_default(result, new, group.pop(key))
    for dotted, renamed in RENAMED_VALUES.items():
        section, key = dotted.split(".")
        group = result.get(section)
        if isinstance(group, dict) and isinstance(group.get(key), str):
            group[key] = renamed.get(group[key], group[key])
    return result


def _copy(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _copy(value) if isinstance(value, Mapping) else value for key, value in values.items()
    }


def _set_default(values: dict[str, Any], dotted: str, value: Any) -> None:
    *path, last = dotted.split(".")
    for part in path:
        below = values.setdefault(part, {})
        if not isinstance(below, dict):
            return
        values = below
    values.setdefault(last, value)
