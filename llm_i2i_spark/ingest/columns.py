"""Which columns of a raw table hold the columns that ingest reads: those that are mapped, those of
the same name, or those that a public data set is known to use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llm_i2i_spark.base.errors import ConfigError, InputDataError

COLUMNS: dict[str, tuple[str, ...]] = {
    "interactions": ("user_id", "item_id", "ts", "pos", "event", "weight"),
    "items": ("item_id", "title", "brand", "category"),
}
REQUIRED: dict[str, tuple[str, ...]] = {
    "interactions": ("user_id", "item_id"),
    "items": ("item_id",),
}
ITEMS_ID_KEY = "items_item_id"
"""Key of `ingest.columns` for a catalogue whose id column has another name than the log's."""


def find_columns(
    table: str,
    found: Sequence[str],
    mapping: Mapping[str, str],
    known: Mapping[str, tuple[str, ...]],
    path: str,
) -> dict[str, tuple[str, ...]]:
    """The raw columns behind each column that ingest reads; of several, the first that is not null
    counts row by row.

    Order of search: `ingest.columns`, the same name, the names of the public data set. Optional
    columns may be missing.

    Args:
        table: `interactions` or `items`.
        found: columns of the raw table.
        mapping: `ingest.columns`.
        known: names that the public data set uses, by column; empty for other tables.
        path: of the table, for messages.

    Raises:
        ConfigError: a mapped column is not there, or the mapping has a key that is no column.
        InputDataError: a required column is not there.
    """
    _check_keys(mapping)
    listed = ", ".join(found) or "no columns"
    result: dict[str, tuple[str, ...]] = {}
    for name in COLUMNS[table]:
        mapped = (
            mapping.get(ITEMS_ID_KEY, mapping.get(name))
            if (table, name) == ("items", "item_id")
            else mapping.get(name)
        )
        candidates = [[mapped] if mapped else [], [name], list(known.get(name, ()))]
        matches = [tuple(_match(found, names)) for names in candidates]
        # The log and the catalogue share the key item_id, so a mapping meant for one of them may
        # name a column that the other does not have.
        if mapped and not matches[0] and (name != "item_id" or not any(matches)):
            raise ConfigError(
                f"ingest.columns.{name} names {mapped!r}, which is not a column of {path}; it has"
                f" {listed}."
            )
        chosen = next((match for match in matches if match), ())
        if chosen:
            result[name] = chosen
        elif name in REQUIRED[table]:
            raise InputDataError(
                f"{path} has no column {name}, but {listed}; name the right one with --set"
                f" ingest.columns.{name}=COLUMN."
            )
    return result


def _check_keys(mapping: Mapping[str, str]) -> None:
    keys = {*COLUMNS["interactions"], *COLUMNS["items"], ITEMS_ID_KEY}
    unknown = sorted(set(mapping) - keys)
    if unknown:
        raise ConfigError(
            f"ingest.columns knows no {unknown[0]!r}; its keys are {', '.join(sorted(keys))}."
        )


def _match(found: Sequence[str], names: Sequence[str]) -> list[str]:
    """Those of `names` that the table has, exactly or, where only one column fits, in another case
    of letters.
    """
    matches = []
    for name in names:
        any_case = [column for column in found if column.lower() == name.lower()]
        if name in found:
            matches.append(name)
        elif len(any_case) == 1:
            matches.append(any_case[0])
    return matches
