"""The users that a lake must not take in again: the Delta table `_forgotten` beside its tables.

It holds salted hashes, not ids. Whoever has the lake can check an id that he knows or guesses, and
cannot read off one that he does not know. Needs no Spark, but for the condition on rows.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from deltalake import write_deltalake

from llm_i2i_spark.base.external_input import ExternalInput
from llm_i2i_spark.lake.delta_files import file_name, read_file
from llm_i2i_spark.lake.delta_rs import table_exists
from llm_i2i_spark.lake.lost_files import open_table

if TYPE_CHECKING:
    from pyspark.sql import Column

FOLDER = "_forgotten"
SALT_BYTES = 16
_SCHEMA = pa.schema(
    [
        pa.field("salt", pa.string(), nullable=False),
        pa.field("user_hash", pa.string(), nullable=False),
        pa.field("forgotten", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
_NOT_IN_AN_ID = r"[^\p{L}\p{N}_.@#:-]+"
"""Between the words of a row that could not be parsed."""


@dataclass(frozen=True)
class ForgottenUsers(ExternalInput):
    """The list in one state.

    Attributes:
        salt: of the lake, put before every id.
        hashes: hex sha256 of salt and id, a user each, sorted.
    """

    salt: str = ""
    hashes: tuple[str, ...] = ()

    def hash_of(self, user: str) -> str:
        """The hash under which a user stands in the list, or would."""
        return hashlib.sha256((self.salt + user).encode()).hexdigest()

    def __contains__(self, user: str) -> bool:
        return self.hash_of(user) in self.hashes

    def condition(self, user_id: str, refused: str) -> Column:
        """Whether a raw row is of one of these users; never null.

        Args:
            user_id: name of the column with the id.
            refused: name of the column with the whole row as text, null where it is not refused:
                words of it may be such an id as well.
        """
        from pyspark.sql import functions as F

        def is_one(text: Column) -> Column:
            return F.sha2(F.concat(F.lit(self.salt), text), 256).isin(list(self.hashes))

        words = F.split(refused, _NOT_IN_AN_ID)
        known, mentioned = is_one(F.col(user_id)), F.exists(words, is_one)
        return F.coalesce(known, F.lit(False)) | F.coalesce(mentioned, F.lit(False))


def forgotten_users(root: Path) -> ForgottenUsers:
    """The list of a lake in a local folder, empty where there is none."""
    folder = str(root / FOLDER)
    if not table_exists(folder):
        return _listed("", [])
    files = [file_name(uri) for uri in open_table(folder).file_uris()]
    rows = pa.concat_tables(
        [read_file(f"{folder}/{name}", _SCHEMA.names, {}, None) for name in files]
    )
    return _listed(rows["salt"][0].as_py(), rows["user_hash"].to_pylist())


def forget_users(root: Path, users: Sequence[str]) -> ForgottenUsers:
    """Add users to the list of a lake, those that are not in it yet; the list then.

    Args:
        root: local folder of the lake.
        users: ids as in the log.
    """
    known = forgotten_users(root)
    known = known if known.salt else _listed(secrets.token_hex(SALT_BYTES), [])
    new = sorted({known.hash_of(user) for user in users} - set(known.hashes))
    if not new:
        return known
    now = datetime.now(timezone.utc)
    rows = [{"salt": known.salt, "user_hash": one, "forgotten": now} for one in new]
    write_deltalake(str(root / FOLDER), pa.Table.from_pylist(rows, schema=_SCHEMA), mode="append")
    return _listed(known.salt, [*known.hashes, *new])


def _listed(salt: str, hashes: Sequence[str]) -> ForgottenUsers:
    found = tuple(sorted(set(hashes)))
    digest = hashlib.sha256(" ".join([salt, *found]).encode()).hexdigest()
    count = "1 user" if len(found) == 1 else f"{len(found):,} users"
    return ForgottenUsers(digest, count, salt, found)
