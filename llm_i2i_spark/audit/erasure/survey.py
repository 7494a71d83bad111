"""The survey of a lake, and of that of its experiments: all that holds some users. Writes nothing,
and needs no Spark session.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from llm_i2i_spark.audit.erasure.holdings import HeldFile, HeldRows, Holdings, TrainedModel
from llm_i2i_spark.audit.erasure.matching import Users
from llm_i2i_spark.audit.erasure.other_files import other_files, source_files
from llm_i2i_spark.audit.erasure.table_files import survey_table
from llm_i2i_spark.audit.erasure.trained_models import Descent
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.lake.delta_rs import DeltaRsLake, table_exists
from llm_i2i_spark.lake.forgotten import forgotten_users
from llm_i2i_spark.lake.location import local_root

EXPERIMENTS = "experiments"
"""Folder of the lake of a project's experiments, below that of the project."""


def survey_lake(config: LakeConfig, ids: Sequence[str], sources: Iterable[str] = ()) -> Holdings:
    """All that holds some users.

    Args:
        config: of the lake, which is a folder of this machine.
        ids: of the users, as in the log.
        sources: paths of the raw files, or names of raw tables.

    Raises:
        ConfigError: the lake is not a local folder, or an id is empty.
    """
    root = require_local_root(config)
    if not ids or not all(ids):
        raise ConfigError("Name a user: the id as in the log.")
    users = users_of(config, ids)
    rows: list[HeldRows] = []
    files: list[HeldFile] = []
    unread: list[str] = []
    models: list[TrainedModel] = []
    stages: dict[str, None] = {}
    forgotten = forgotten_users(root)
    hashes = frozenset(map(forgotten.hash_of, users.ids))
    for lake in lakes_in(config):
        versions: set[int] = set()
        for table in TABLES.values():
            if table.user_ids:
                found = survey_table(lake, table, users)
                rows += found.rows
                files += found.files
                unread += found.unread
                if table.name == "interactions":
                    versions.update(one for file in found.files for one in file.versions)
        descent = Descent(lake, versions, hashes)
        models += descent.trained_models()
        stages |= dict.fromkeys(descent.stale_stages())
    for file in other_files(root, users):
        if isinstance(file, HeldFile):
            files.append(file)
        else:
            unread.append(str(file))
    return Holdings(
        users=users.ids,
        are_listed=all(one in forgotten for one in users.ids),
        rows=tuple(rows),
        files=tuple(files),
        models=tuple(models),
        stale_stages=tuple(stages),
        sources=tuple(source_files(sources, users)),
        unread=tuple(unread),
    )


def require_local_root(config: LakeConfig) -> Path:
    """The folder of a lake.

    Raises:
        ConfigError: it is not a folder of this machine.
    """
    root = local_root(config)
    if root is None:
        raise ConfigError(
            "Every file of the lake is looked into to forget a user: set lake.root to a folder of"
            " this machine (on Databricks one below /Volumes; mount an object store)."
        )
    return root


def users_of(config: LakeConfig, ids: Sequence[str]) -> Users:
    """The users as the rows of a lake name them."""
    records = [
        commit.record
        for lake in lakes_in(config)
        for commit in lake.history("interactions")
        if commit.record is not None
    ]
    in_sessions = any(record.settings.get("ingest.session_gap") for record in records)
    return Users(ids, in_sessions)


def lakes_in(config: LakeConfig) -> Iterator[DeltaRsLake]:
    """The lake of a project and that of its experiments, those of them that hold a log."""
    root = require_local_root(config)
    for folder in (root, root / EXPERIMENTS):
        lake = DeltaRsLake(config.model_copy(update={"root": str(folder)}))
        if table_exists(lake.path("interactions")):
            yield lake
