"""From the run records: which models learned from a log with some users in it, and which present
results were made from their rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from llm_i2i_spark.audit.erasure.holdings import TrainedModel
from llm_i2i_spark.audit.origins import Origin, Origins
from llm_i2i_spark.base.contract import scope_key, scope_of
from llm_i2i_spark.base.contracts import MODEL_TABLES, TABLES
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.run_record import ERASED_USERS
from llm_i2i_spark.lake.delta_rs import DeltaRsLake


class Descent:
    """What was made from a log that had some users in it.

    Args:
        lake: a local one.
        versions: of `interactions` whose files hold the users.
        hashes: of the users, in the records of their earlier erasures: every version before one of
            those counts as well, although its files may be gone.
    """

    def __init__(self, lake: DeltaRsLake, versions: Iterable[int], hashes: frozenset[str]) -> None:
        self._lake = lake
        self._origins = Origins(lake)
        history = lake.history("interactions")
        erased = [
            commit.version
            for commit in history
            if commit.record and hashes & set(commit.record.attributes.get(ERASED_USERS, ()))
        ]
        before = range(max(erased, default=0))
        self._versions = {*versions, *(one.version for one in history if one.version in before)}

    def trained_models(self) -> Iterator[TrainedModel]:
        """The models, present and earlier ones."""
        for table in MODEL_TABLES:
            live = {(one.written, scope_key(one.scope)) for one in self._present(table)}
            for commit in self._lake.history(table):
                for key in commit.record.scopes if commit.record else ():
                    found = self._origins.find(table, scope_of(key), commit.version)
                    read = None if found is None else self._interactions(found)
                    if read is not None:
                        is_live = (commit.version, key) in live
                        for path in self._folders(table, key, commit.version):
                            yield TrainedModel(table, key, commit.version, path, read, is_live)

    def stale_stages(self) -> Iterator[str]:
        """The stages whose present results were made from such a log, in pipeline order."""
        if not self._versions:
            return
        stages: dict[str, list[str]] = {}
        for table in TABLES.values():
            stages.setdefault(table.stage, []).append(table.name)
        for stage, tables in stages.items():
            if any(
                self._interactions(one) is not None
                for name in tables
                for one in self._present(name)
            ):
                yield stage

    def _present(self, table: str) -> Iterator[Origin]:
        keys = {
            key: None
            for commit in self._lake.history(table)
            if commit.record is not None
            for key in commit.record.scopes
        }
        for key in keys:
            found = self._origins.find(table, scope_of(key))
            if found is not None and found.record is not None:
                yield found

    def _interactions(self, origin: Origin) -> int | None:
        """A version of `interactions` with the users that a result was made from; None without."""
        try:
            for one in self._origins.inputs(origin):
                if one.table == "interactions" and self._versions & {one.version, one.written}:
                    return one.version
        except UserError:  # a table that was read is gone, and with it what it held
            return None
        return None

    def _folders(self, table: str, key: str, version: int) -> list[str | None]:
        """The folders of the models of a result; of a version that cannot be read, no name."""
        if "path" not in TABLES[table].names:
            return [None]
        try:
            rows = self._lake.read(table, version, ["path"], scope_of(key))
        except UserError:
            return [None]
        return list(rows["path"].to_pylist())
