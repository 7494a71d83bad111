"""An input outside the lake, in the state in which a run found it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExternalInput:
    """One state of an input outside the lake: a raw table, a folder of a model.

    Attributes:
        digest: equal for equal states; empty where this machine does not see the input.
        description: the state in words, such as `3 files` or `Delta version 12`.
    """

    digest: str
    description: str = ""
