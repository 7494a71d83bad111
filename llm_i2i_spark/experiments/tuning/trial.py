"""One trial of a study: the settings that were tried, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        number: from 0 on, in the order of the trials.
        settings: every searched option with its value, by dotted key.
        value: of the metric on the validation fold; None where the settings do not fit together.
        interval: 95 % bootstrap interval of the value over users.
        users: whose held-out item was looked for.
        seconds: of wall clock.
        stages: that had to run; the others were up to date.
        note: what there is to say, such as why there is no value.
    """

    number: int
    settings: Mapping[str, Any]
    value: float | None = None
    interval: tuple[float, float] | None = None
    users: int = 0
    seconds: float = 0.0
    stages: tuple[str, ...] = ()
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Trial:
        """The trial that `to_dict` wrote, also after JSON."""
        names = {one.name for one in fields(cls)}
        known = {name: value for name, value in values.items() if name in names}
        known["settings"] = {key: _hashable(value) for key, value in known["settings"].items()}
        for name in ("interval", "stages"):
            known[name] = _hashable(known.get(name))
        return cls(**known)


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The trial of the highest value, the first of several; None where no trial has one."""
    measured = [trial for trial in trials if trial.value is not None]
    return max(measured, key=lambda trial: (trial.value, -trial.number), default=None)


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
