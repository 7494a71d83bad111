"""The fingerprint of a result: digest of everything that it depends on.

A stage's result is a function of the results it reads, the inputs outside the lake, the settings,
the seed and the code. The fingerprint is stored with every commit, so that a later start knows by
reading a table's history whether work is left, and, where it is, what has changed.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from llm_i2i_spark.base.contract import Scope, scope_key
from llm_i2i_spark.base.json_digest import json_digest
from llm_i2i_spark.base.run_record import RunRecord, ScopeResult
from llm_i2i_spark.base.variants import VARIANT_RULE

PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Ingredients:
    """Everything that one result of a stage depends on.

    Attributes:
        stage: its name.
        scope: which result.
        inputs: fingerprint of each result that it reads, by table and scope.
        external_inputs: digest of each input outside the lake, by name.
        settings: options by dotted key, the seed among them.
        code_digest: of the stage's code.
    """

    stage: str
    scope: Scope
    inputs: Mapping[str, str]
    external_inputs: Mapping[str, str]
    settings: Mapping[str, Any]
    code_digest: str

    @property
    def fingerprint(self) -> str:
        """Hex sha256 of all of it."""
        content = {
            "stage": self.stage,
            "scope": scope_key(self.scope),
            "inputs": dict(self.inputs),
            "external_inputs": dict(self.external_inputs),
            "settings": dict(self.settings),
            "code": self.code_digest,
        }
        return json_digest(content)

    @property
    def result(self) -> ScopeResult:
        """What a commit says of the result."""
        return ScopeResult(self.fingerprint, dict(self.inputs), self.code_digest)

    def differences(self, record: RunRecord) -> list[str]:
        """What has changed since a commit, in words; empty where nothing that is recorded has."""
        before = record.result(self.scope)
        if before is None or not before.code_digest:
            return [f"version {record.code_version} made it and did not record what it depends on"]
        found = []
        for name, digest in self.external_inputs.items():
            if record.external_inputs.get(name) != digest:
                found.append(f"the source of {name} has changed")
        for name, digest in self.inputs.items():
            if before.inputs.get(name) != digest:
                found.append(f"{name} has changed")
        for name in before.inputs:
            if name not in self.inputs:
                found.append(f"{name} is left out")
        found += _changed_settings(record.settings, self._told_apart(record))
        if before.code_digest != self.code_digest:
            found.append(f"the code of {self.stage} has changed")
        return found

    def _told_apart(self, record: RunRecord) -> dict[str, Any]:
        """The settings that a record can be compared by: the rules of several variants whose
        results one commit holds stand in it under one key.
        """
        several = len(record.scopes) > 1
        return {
            key: value
            for key, value in self.settings.items()
            if not (several and key.startswith(VARIANT_RULE))
        }


def _changed_settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    # A commit may hold results with further settings of their own, such as other backbones'.
    changed = sorted(key for key in after if before.get(key) != after[key])
    return [f"{key} was {before.get(key)} and is {after[key]}" for key in changed]


@cache
def code_digest(*parts: str) -> str:
    """Hex sha256 of some of the package's modules, comments, docstrings and layout left out.

    Args:
        parts: modules or folders below the package, such as `ingest` or `lake/user_histories`.
    """
    digest = hashlib.sha256()
    for part in parts:
        path = PACKAGE / part
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
        for file in files:
            digest.update(file.relative_to(PACKAGE).as_posix().encode())
            digest.update(_without_docstrings(file.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()


@cache
def imported_modules(module: str, within: str) -> tuple[str, ...]:
    """A module of the package with all that it imports from its own folder (or those below) and
    from another one, in order of their names.

    Args:
        module: such as `backbones/swing`.
        within: the other folder, such as `kernels`.
    """
    folders = (module.partition("/")[0], within)
    found, left = set[str](), [module]
    while left:
        part = left.pop()
        if part in found:
            continue
        found.add(part)
        tree = ast.parse((PACKAGE / part).with_suffix(".py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                left += _imported(node, folders)
    return tuple(sorted(found))


def _imported(node: ast.ImportFrom, folders: tuple[str, ...]) -> list[str]:
    """The modules of some folders that an import statement names."""
    name = (node.module or "").removeprefix(f"{PACKAGE.name}.").replace(".", "/")
    named = [name, *(f"{name}/{alias.name}" for alias in node.names)]
    return [
        part
        for part in named
        if part.startswith(tuple(f"{folder}/" for folder in folders))
        and (PACKAGE / part).with_suffix(".py").is_file()
    ]


def _without_docstrings(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_text(one)] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
