"""Why a result differs between two versions: the run records upstream of both, compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from llm_i2i_spark.audit.origins import Origin
from llm_i2i_spark.base.contract import result_name
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.run_record import RunRecord

Kind = Literal["source", "option", "model", "code", "input", "unrecorded"]
DIGITS = 12
"""Of a digest, as a cause names it."""


@dataclass(frozen=True)
class Cause:
    """One thing that a stage was given otherwise.

    Attributes:
        kind: `source` outside the lake, `option`, `model` whose rows are read, `code` of the stage,
            `input` that only one of the two was made from, `unrecorded` where nothing says.
        stage: that was given it; several with commas between.
        name: of the source, the option, the table of the model's rows, or the input; of code the
            stage.
        before: value, or the first digits of the digest; None where the earlier one has none.
        after: likewise of the later one.
    """

    kind: Kind
    stage: str
    name: str
    before: Any
    after: Any

    def __str__(self) -> str:
        if self.kind == "option":
            return f"{self.name} was {self.before} and is {self.after} (stage {self.stage})"
        if self.kind == "unrecorded":
            return f"nothing says what {self.name} was made from: a commit has no run record"
        if self.kind == "input":
            added = self.before is None
            words = "is an input only of the later" if added else "was an input only of the earlier"
            return f"{self.name} {words} version (stage {self.stage})"
        what = {
            "source": f"the source of {self.name} has changed",
            "model": f"the model that wrote {self.name} is another one",
            "code": f"the code of stage {self.name} has changed",
        }[self.kind]
        return f"{what}: {self.before or 'none'} → {self.after or 'none'}"


@dataclass(frozen=True)
class InputVersions:
    """A result upstream, in both versions.

    Attributes:
        table: its name.
        scope: which of the results in the table.
        before: version of the table that the earlier index was made from; None where it was not.
        after: likewise of the later index.
        rows_before: that the commit wrote; None where it does not say.
        rows_after: likewise.
        differs: whether it is another result, by fingerprint; versions alone also move where other
            results were written beside it.
    """

    table: str
    scope: dict[str, str]
    before: int | None
    after: int | None
    rows_before: int | None
    rows_after: int | None
    differs: bool

    @property
    def name(self) -> str:
        """Of the result: `fused[variant=real]`."""
        return result_name(self.table, self.scope)

    def __str__(self) -> str:
        name = self.name
        if self.before is None or self.after is None:
            side = "later" if self.before is None else "earlier"
            version = self.after if self.before is None else self.before
            return f"{name}: only the {side} one, v{version}"
        if not self.differs:
            return f"{name}: the same, v{self.after}"
        text = f"{name}: v{self.before} → v{self.after}"
        if self.rows_before is None or self.rows_after is None:
            return text
        return f"{text} (rows written: {self.rows_before:,} → {self.rows_after:,})"


def compare_upstream(
    before: Sequence[Origin], after: Sequence[Origin]
) -> tuple[tuple[InputVersions, ...], tuple[Cause, ...]]:
    """What is upstream of two versions, from the log to the index, and what was given otherwise.

    Args:
        before: the earlier result and all that it was made from, as `Origins.upstream` gives it.
        after: likewise of the later one.
    """
    earlier, later = _by_name(before), _by_name(after)
    order = list(TABLES)
    names = sorted(
        earlier.keys() | later.keys(), key=lambda name: (order.index(name.partition("[")[0]), name)
    )
    inputs, causes = [], dict[Cause, dict[str, None]]()
    for name in names:
        old, new = earlier.get(name), later.get(name)
        inputs.append(_versions(old, new))
        for cause in _causes(name, old, new):
            causes.setdefault(_hashable(replace(cause, stage="")), {})[cause.stage] = None
    return tuple(inputs), tuple(
        replace(cause, stage=", ".join(stages)) for cause, stages in causes.items()
    )


def _by_name(upstream: Sequence[Origin]) -> dict[str, Origin]:
    """The results by name; of one that was read at several versions the latest."""
    found: dict[str, Origin] = {}
    for origin in upstream:
        name = result_name(origin.table, origin.scope)
        if name not in found or found[name].version < origin.version:
            found[name] = origin
    return found


def _versions(old: Origin | None, new: Origin | None) -> InputVersions:
    known = new or old
    assert known is not None
    same = old is not None and new is not None and _identity(old) == _identity(new)
    return InputVersions(
        table=known.table,
        scope=known.scope,
        before=old.version if old else None,
        after=new.version if new else None,
        rows_before=old.rows if old else None,
        rows_after=new.rows if new else None,
        differs=not same,
    )


def _identity(origin: Origin) -> object:
    """What tells a result from others: its fingerprint, or else the commit that wrote it."""
    result = origin.record.result(origin.scope) if origin.record else None
    if result is not None and result.fingerprint:
        return result.fingerprint
    return origin.written, origin.time


def _causes(name: str, old: Origin | None, new: Origin | None) -> Iterator[Cause]:
    known = new or old
    assert known is not None
    stage = TABLES[known.table].stage
    if old is None or new is None:
        yield Cause("input", stage, name, old and f"v{old.version}", new and f"v{new.version}")
        return
    if _identity(old) == _identity(new):
        return
    if old.record is None or new.record is None:
        yield Cause("unrecorded", stage, name, None, None)
        return
    yield from _sources(stage, old.record, new.record)
    yield from _options(stage, old, new)
    models = [record.attributes.get("model_digest") for record in (old.record, new.record)]
    if models[0] != models[1]:
        yield Cause("model", stage, known.table, _short(models[0]), _short(models[1]))
    code = [_code(old), _code(new)]
    if code[0] != code[1]:
        versions = (old.record.code_version, new.record.code_version)
        words = [f"{one} ({_short(digest)})" for one, digest in zip(versions, code, strict=True)]
        yield Cause("code", stage, stage, *words)


def _sources(stage: str, old: RunRecord, new: RunRecord) -> Iterator[Cause]:
    before, after = old.external_inputs, new.external_inputs
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield Cause("source", stage, name, _short(before.get(name)), _short(after.get(name)))


def _options(stage: str, old: Origin, new: Origin) -> Iterator[Cause]:
    assert old.record is not None
    assert new.record is not None
    before, after = old.record.settings, new.record.settings
    if not before or not after:
        return  # a record of version 0.1 names none
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key) and _is_of(key, new.scope):
            yield Cause("option", stage, key, before.get(key), after.get(key))


def _is_of(key: str, scope: dict[str, str]) -> bool:
    """Whether an option can change a result: a commit may hold results of other backbones too."""
    section, _, rest = key.partition(".")
    backbone = rest.partition(".")[0]
    return section != "i2i" or "." not in rest or backbone == scope.get("backbone", backbone)


def _code(origin: Origin) -> str:
    result = origin.record.result(origin.scope) if origin.record else None
    return result.code_digest if result else ""


def _short(digest: object) -> str | None:
    return digest[:DIGITS] if isinstance(digest, str) and digest else None


def _hashable(cause: Cause) -> Cause:
    """The cause with values of options as text where they are lists or dictionaries."""
    values = [
        value if isinstance(value, str | int | float | bool | None) else str(value)
        for value in (cause.before, cause.after)
    ]
    return Cause(cause.kind, cause.stage, cause.name, *values)
