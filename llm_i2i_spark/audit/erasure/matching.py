"""Which rows, and which words of a text, are of some users."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from llm_i2i_spark.base.contract import UserIds

STATISTICS_CHARS = 32
_SESSION = r"#[0-9]+$"
_STEP = r"\|[^|]*$"
_EDGE = r"[^\p{L}\p{N}_]"
"""An id within a text stands by itself: no letter, digit or underscore touches it."""


class Users:
    """Some users.

    Args:
        ids: as in the log.
        in_sessions: whether the lake holds sessions, whose ids are `USER#NUMBER`, in place of
            users.
    """

    def __init__(self, ids: Sequence[str], in_sessions: bool = False) -> None:
        self.ids = tuple(dict.fromkeys(ids))
        self.in_sessions = in_sessions
        # JSON may write a letter as an escape; both are looked for.
        written = sorted({form for one in self.ids for form in (one, _escaped(one))}, key=len)
        words = "|".join(re.escape(one) for one in reversed(written))
        self._in_text = rf"(^|{_EDGE})({words})($|{_EDGE})"
        self._in_bytes = re.compile(
            rb"(?<![0-9A-Za-z_\x80-\xff])(?:" + words.encode() + rb")(?![0-9A-Za-z_\x80-\xff])"
        )
        session = "(?:#[0-9]+)?" if in_sessions else ""
        quoted = [rf"(?:{words}){session}\\?\""]
        quoted += [re.escape(one[:STATISTICS_CHARS]) for one in written if _is_cut(one)]
        self._in_quotes = re.compile((r"\"(?:" + "|".join(quoted) + ")").encode())

    def are_in(
        self, columns: Mapping[str, pa.ChunkedArray], kinds: Mapping[str, UserIds]
    ) -> NDArray[np.bool_]:
        """Of each row, whether it names one of these users.

        Args:
            columns: by name; none where the rows name nobody.
            kinds: how each of them names users.
        """
        found: NDArray[np.bool_] | None = None
        for name, column in columns.items():
            mask = self._mask(column.combine_chunks(), kinds[name])
            found = mask if found is None else found | mask
        return np.zeros(0, bool) if found is None else found

    def condition(self, kinds: Mapping[str, UserIds]) -> str:
        """The same as SQL, over `row.NAME` and each id as `wanted.value`."""
        return " OR ".join(f"({self._sql(f'row.`{name}`', kind)})" for name, kind in kinds.items())

    def values(self, kinds: Mapping[str, UserIds]) -> list[str]:
        """What `wanted.value` stands for."""
        if "text" not in kinds.values():
            return list(self.ids)
        return sorted({form for one in self.ids for form in (one, _escaped(one))})

    def are_in_bytes(self, content: bytes | memoryview) -> bool:
        """Whether a file's content has one of the ids as a word of its own."""
        return self._in_bytes.search(content) is not None

    def are_quoted_in(self, content: bytes) -> bool:
        """Whether the log of a table has one of the ids as a text in quotes: the smallest or
        largest value of a file, of which Delta keeps 32 characters.
        """
        return self._in_quotes.search(content) is not None

    def _mask(self, column: pa.Array, kind: UserIds) -> NDArray[np.bool_]:
        if kind == "text":
            found = pc.match_substring_regex(column.cast(pa.string()), self._in_text)
        elif kind == "votes":
            examples = pc.struct_field(pc.list_flatten(column), "example_id")
            named = self._are(pc.replace_substring_regex(examples, _STEP, ""))
            found = np.zeros(len(column), bool)
            found[pc.list_parent_indices(column).to_numpy()[named]] = True
            return found
        else:
            return self._are(column)
        return _without_nulls(found)

    def _are(self, column: pa.Array) -> NDArray[np.bool_]:
        ids = column.cast(pa.string())
        if self.in_sessions:
            ids = pc.replace_substring_regex(ids, _SESSION, "")
        return _without_nulls(pc.is_in(ids, value_set=pa.array(self.ids, pa.string())))

    def _sql(self, column: str, kind: UserIds) -> str:
        if kind == "votes":
            example = f"regexp_replace(vote.example_id, {_quoted(_STEP)}, '')"
            return f"exists({column}, vote -> {self._sql_id(example)} = wanted.value)"
        if kind == "text":
            quoted = r"concat('\\Q', wanted.value, '\\E')"
            edge = _quoted(_EDGE)
            pattern = f"concat('(^|', {edge}, ')', {quoted}, '($|', {edge}, ')')"
            return f"instr({column}, wanted.value) > 0 AND regexp_like({column}, {pattern})"
        return f"{self._sql_id(column)} = wanted.value"

    def _sql_id(self, text: str) -> str:
        if not self.in_sessions:
            return text
        return f"regexp_replace({text}, {_quoted(_SESSION)}, '')"


def _is_cut(text: str) -> bool:
    return len(text) > STATISTICS_CHARS


def _escaped(text: str) -> str:
    return json.dumps(text)[1:-1]


def _quoted(pattern: str) -> str:
    return "'" + pattern.replace("\\", "\\\\") + "'"


def _without_nulls(mask: pa.Array | pa.ChunkedArray) -> NDArray[np.bool_]:
    values: NDArray[np.bool_] = pc.fill_null(mask, False).to_numpy(zero_copy_only=False)
    return values
