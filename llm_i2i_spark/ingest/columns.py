"""Where the contract's columns are found in a raw table: by mapping, by their own name, or by a
public format's name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llm_i2i_spark.base.errors import ConfigError, InputDataError

WANTED: dict[str, tuple[str, ...]] = {
    "interactions": ("user_id", "item_id", "ts", "pos", "event", "weight"),
    "items": ("item_id", "title", "brand", "category"),
}
REQUIRED: dict[str, tuple[str, ...]] = {
    "interactions": ("user_id", "item_id"),
    "items": ("item_id",),
}
ITEMS_ID_KEY = "items_item_id"
"""The mapping key for a catalogue whose id column is called otherwise than the log's."""


def find_columns(
    table: str,
    found: Sequence[str],
    mapping: Mapping[str, str],
    known: Mapping[str, tuple[str, ...]],
    path: str,
) -> dict[str, tuple[str, ...]]:
    """The raw columns behind each contract column; of several, the first filled one counts.

    Order of search: `ingest.columns`, the contract's own name, the public format's names. Optional
    columns may be missing.

    Args:
        table: `interactions` or `items`.
        found: columns of the raw table.
        mapping: `ingest.columns`.
        known: names that the table's public format uses; empty for others.
        path: of the table, for messages.

    Raises:
        ConfigError: a mapped column is not there, or a key of the mapping is none of the contract's.
        InputDataError: a required column is not there.
    """
    _check_keys(mapping)
    has = ", ".join(found) or "no columns"
    result: dict[str, tuple[str, ...]] = {}
    for name in WANTED[table]:
        mapped = (
            mapping.get(ITEMS_ID_KEY, mapping.get(name))
            if (table, name) == ("items", "item_id")
            else mapping.get(name)
        )
        candidates = [[mapped] if mapped else [], [name], list(known.get(name, ()))]
        matches = [tuple(_match(found, names)) for names in candidates]
        # The log and the catalogue share the key item_id, so a mapping meant for the one may not
        # fit the other.
        if mapped and not matches[0] and (name != "item_id" or not any(matches)):
            raise ConfigError(
                f"ingest.columns.{name} names {mapped!r}, which is not a column of {path}; it has"
                f" {has}."
            )
        chosen = next((match for match in matches if match), ())
        if chosen:
            result[name] = chosen
        elif name in REQUIRED[table]:
            raise InputDataError(
                f"{path} has no column {name}, but {has}; name the right one with --set"
                f" ingest.columns.{name}=COLUMN."
            )
    return result


def _check_keys(mapping: Mapping[str, str]) -> None:
    keys = {*WANTED["interactions"], *WANTED["items"], ITEMS_ID_KEY}
    unknown = sorted(set(mapping) - keys)
    if unknown:
        raise ConfigError(
            f"ingest.columns knows no {unknown[0]!r}; its keys are {', '.join(sorted(keys))}."
        )


def _match(found: Sequence[str], names: Sequence[str]) -> list[str]:
    """Those of `names` that are in the table, exactly or, where that is unambiguous, in another
    case.
    """
    matches = []
    for name in names:
        loose = [column for column in found if column.lower() == name.lower()]
        if name in found:
            matches.append(name)
        elif len(loose) == 1:
            matches.append(loose[0])
    return matches
