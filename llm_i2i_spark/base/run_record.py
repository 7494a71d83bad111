"""Runs: what a stage is, the record that every commit carries, and the fingerprint that tells a
finished stage.

A stage's result is a function of its input versions, the settings it reads, the seed and the code
version. Their digest is the fingerprint; it is stored with every commit, so a later start knows by
reading the table's history whether work is left.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any, Protocol

from llm_i2i_spark import __version__
from llm_i2i_spark.config.config import Config


class TableStore(Protocol):
    """What a stage without Spark needs to know of the lake."""

    def version(self, table: str) -> int | None:
        """The latest version of a table, None where it does not exist."""

    def path(self, table: str) -> str:
        """The folder or URI of a table."""


@dataclass(frozen=True)
class Run:
    """One execution of one stage: its id, the versions it reads, and the fingerprint of its result.

    Attributes:
        run_id: shared by all stages that one command executes.
        inputs: version of each table the stage reads, resolved once, before it starts.
        sources: digests of inputs outside the lake (raw files), by name.
        variants: the variants asked for, in order.
    """

    run_id: str
    stage: str
    inputs: dict[str, int]
    variants: tuple[str, ...]
    fingerprint: str
    sources: dict[str, str] = field(default_factory=dict)

    def record(self, config: Config, table: str, **details: Any) -> RunRecord:
        """The record to commit with a table of this run."""
        return RunRecord(
            run_id=self.run_id,
            stage=self.stage,
            table=table,
            inputs=dict(self.inputs),
            sources=dict(self.sources),
            fingerprint=self.fingerprint,
            config_digest=config.digest(),
            code_version=__version__,
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            details=details,
        )


@dataclass(frozen=True)
class RunRecord:
    """What a commit says of its own origin; JSON in Delta's `userMetadata`. Row counts stand in the
    commit's own metrics.
    """

    run_id: str
    stage: str
    table: str
    inputs: dict[str, int]
    sources: dict[str, str]
    fingerprint: str
    config_digest: str
    code_version: str
    created: str
    details: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The record as one line of JSON with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str | None) -> RunRecord | None:
        """The record in a commit's metadata; None where the commit is not one of ours."""
        try:
            values = json.loads(text or "")
            return cls(**values)
        except (ValueError, TypeError):
            return None


@dataclass(frozen=True)
class Stage:
    """A step of the way through: what it reads, what it writes, which settings its result depends
    on.

    Attributes:
        settings: names of config sections, or dotted keys, that change the result.
        sources: digests of inputs outside the lake, by name.
        needs: tables read, a function of the config, since `real` alone needs no model.
        execute: does the work: `(lake, config, run)`; the lake is typed by the stage itself.
        prepare: begins what takes long and needs no table, before the first stage of a command.
    """

    name: str
    needs: Callable[[Config, tuple[str, ...]], tuple[str, ...]]
    writes: tuple[str, ...]
    settings: tuple[str, ...]
    execute: Callable[[Any, Config, Run], None]
    sources: Callable[[Config], dict[str, str]] = lambda config: {}
    prepare: Callable[[Config], None] = lambda config: None


def new_run_id() -> str:
    """An id that sorts by time: `20261121T054410-3f9c`."""
    return datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S") + "-" + secrets.token_hex(2)


def fingerprint(
    stage: Stage,
    config: Config,
    inputs: dict[str, int],
    variants: tuple[str, ...],
    sources: dict[str, str],
) -> str:
    """Hex sha256 of everything a stage's result depends on."""
    content = {
        "stage": stage.name,
        "inputs": inputs,
        "sources": sources,
        "settings": config.digest(*stage.settings, "seed"),
        "variants": list(variants),
        "code": __version__,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
