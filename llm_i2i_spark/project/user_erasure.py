"""Forgetting users of a project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, overload

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.extras import optional_imports
from llm_i2i_spark.base.run_record import new_run_id
from llm_i2i_spark.project.lake_access import LakeAccess

if TYPE_CHECKING:
    from llm_i2i_spark.audit.erasure import Erasure, Holdings


class UserErasure(LakeAccess):
    """The users of a project who are to be forgotten."""

    @overload
    def forget(self, users: str | Sequence[str], yes: Literal[False] = False) -> Holdings: ...

    @overload
    def forget(
        self, users: str | Sequence[str], yes: Literal[True], purge: bool = False
    ) -> Erasure: ...

    @optional_imports()
    def forget(
        self, users: str | Sequence[str], yes: bool = False, purge: bool = False
    ) -> Holdings | Erasure:
        """Erase users: first a plan, which writes nothing; with `yes` the erasure.

        Their rows leave every table, in commits that carry a run record and no id; a list of salted
        hashes in the lake keeps them out of later runs, whatever the raw log holds. Models and
        indexes that were made from their rows stay until `run` makes them anew. The lake must be a
        folder of this machine.

        Args:
            users: an id as in the log, or several.
            yes: do it.
            purge: with `yes`, remove also the files of old versions of the tables that held them:
                these versions can then no longer be read or traced.

        Returns:
            What holds them; with `yes` what was deleted, and what holds them after that.

        Raises:
            UserError: the lake is not a local folder, or an id is empty.
            StageError: a table could not be written; the same call goes on from there.

        Examples:
            >>> project.forget("u1").live_rows  # doctest: +SKIP
            >>> project.forget("u1", yes=True, purge=True).after.live_rows  # doctest: +SKIP
        """
        from llm_i2i_spark.audit.erasure import erase_users, survey_lake
        from llm_i2i_spark.audit.erasure.survey import require_local_root

        require_local_root(self._config.lake)  # before Spark starts
        ids = [users] if isinstance(users, str) else list(users)
        sources = self._raw_files()
        if not yes:
            return survey_lake(self._config.lake, ids, sources)
        with self.lock("audit forget"):
            return erase_users(self.lake, self._config, ids, new_run_id(), sources, purge)

    def _raw_files(self) -> list[str]:
        """The files of the raw log and catalogue, or their names where they are not of this machine
        or gone; none where a DataFrame was given.
        """
        from llm_i2i_spark.ingest.source_versions import local_source

        files: list[str] = []
        for table in ("interactions", "items"):
            path = getattr(self._config.ingest, table)
            if not path:
                continue
            try:
                found = local_source(path, table)
            except UserError:
                found = None
            files += (found.files or [found.root]) if found else [path]
        return files
