"""Which columns of a raw table hold the columns that ingest reads: those that are mapped, those of
the same name, those that a public data set is known to use, or those of a usual name.

Names are compared without case, blanks, `_`, `-` and `.`: `User ID` is `user_id`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from llm_i2i_spark.base.errors import ConfigError, InputDataError, UserError

COLUMNS: dict[str, tuple[str, ...]] = {
    "interactions": ("user_id", "item_id", "ts", "pos", "event", "weight"),
    "items": ("item_id", "title", "brand", "category"),
}
REQUIRED: dict[str, tuple[str, ...]] = {
    "interactions": ("user_id", "item_id"),
    "items": ("item_id",),
}
MEANINGS: dict[str, str] = {
    "user_id": "whose click it is: a user, visitor or session",
    "item_id": "which item; the key of the log and of the catalogue",
    "ts": "when, see times below",
    "pos": "a number that orders rows of one time, or all rows of a log without times",
    "event": "the kind of interaction: view, cart, purchase, …",
    "weight": "how much the click counts, where `ingest.weight=use`",
    "title": "of the catalogue: what the language models read first",
    "brand": "of the catalogue",
    "category": "of the catalogue: a word, or a list as a path",
}
"""What each column holds, for the documentation."""
ITEMS_ID_KEY = "items_item_id"
"""Key of `ingest.columns` for a catalogue whose id column has another name than the log's."""
NONE = "none"
"""Value of `ingest.columns` that leaves a column alone."""

USUAL_NAMES: dict[str, str] = {
    "user_id": (
        "user, uid, usr, customer, customer id, cust id, client id, visitor, visitor id, full"
        " visitor id, member id, account id, profile id, person id, buyer id, shopper id, reviewer"
        " id, reader id, listener id, subscriber id, household id, household key, cookie id,"
        " device id, msno, session, session id, sess id, user session"
    ),
    "item_id": (
        "item, iid, product, product id, prod id, article, article id, asin, parent asin, sku, sku"
        " id, stock code, goods id, listing id, offer id, content id, aid, movie id, film id, book"
        " id, isbn, song id, track id, artist id, album id, video id, news id, game id, app id,"
        " anime id, recipe id, business id, venue id, place id, poi id, location id, hotel id, job"
        " id, course id, doc id, document id, post id"
    ),
    "ts": (
        "timestamp, time stamp, time, event time, event timestamp, event date, event ts, date, date"
        " time, day, unix time, unix timestamp, unix review time, epoch, utc time, local time,"
        " created, created at, create time, creation time, occurred at, rated at, click time, view"
        " time, visit time, visit date, action time, interaction time, purchase time, purchase"
        " date, order time, order date, transaction time, transaction date, transaction dt,"
        " invoice date, t dat"
    ),
    "pos": "position, step, seq, seq no, sequence number, click order, order in session",
    "event": (
        "event type, event name, behavior, behaviour, behavior type, behaviour type, action, action"
        " type, interaction, interaction type, activity type, type"
    ),
    "weight": "weights, strength",
    "title": (
        "name, product name, product title, prod name, item name, item title, article name, article"
        " title, movie title, film title, movie name, book title, book name, song title, song"
        " name, track name, track title, video title, game title, game name, app name, headline"
    ),
    "brand": "brand name, product brand, item brand, manufacturer, maker, vendor",
    "category": (
        "categories, category name, category path, category code, product category, item category,"
        " main category, product type, genre, genres"
    ),
}
"""Column that ingest reads -> the names under which logs and catalogues have it. A rating is no
weight: it says how much a user liked an item, not how much the click counts, so it is mapped by
hand.
"""


@dataclass(frozen=True)
class Chosen:
    """The raw columns behind one that ingest reads.

    Attributes:
        names: of several, the first that is not null counts row by row.
        why: the reason in a few words, such as `same name`.
        replaces_own: whether a mapping chose them though the table has a column of the same name.
    """

    names: tuple[str, ...]
    why: str
    replaces_own: bool = False


def find_columns(
    table: str,
    found: Sequence[str],
    mapping: Mapping[str, str],
    known: Mapping[str, tuple[str, ...]],
    path: str,
) -> dict[str, Chosen]:
    """The raw columns behind each column that ingest reads.

    Order of search: `ingest.columns`, the same name, the names of the public data set, usual names.
    A raw column that has been found for one of them is not looked at for another by its usual name.
    Optional columns may be missing.

    Args:
        table: `interactions` or `items`.
        found: columns of the raw table.
        mapping: `ingest.columns`; `none` leaves an optional column alone.
        known: names that the public data set uses, by column; empty for other tables.
        path: of the table, for messages.

    Raises:
        ConfigError: a mapped column is not there, or the mapping has a key that is no column.
        InputDataError: a required column is not there, or two could be the same one.
    """
    _check_keys(mapping)
    search = _Search(table, tuple(found), mapping, path)
    certain = {name: search.certain(name, known.get(name, ())) for name in COLUMNS[table]}
    taken = {raw for chosen in certain.values() if chosen for raw in chosen.names}
    result: dict[str, Chosen] = {}
    for name, chosen in certain.items():
        if chosen is None and not search.is_left_alone(name):
            chosen = search.usual(name, taken)
        if chosen is not None:
            result[name] = chosen
        elif name in REQUIRED[table]:
            raise search.missing(name)
    return result


@dataclass(frozen=True)
class _Search:
    table: str
    found: tuple[str, ...]
    mapping: Mapping[str, str]
    path: str

    @property
    def listed(self) -> str:
        return ", ".join(self.found) or "no columns"

    def key(self, name: str) -> str:
        """The key of `ingest.columns` that means this column of this table alone."""
        return ITEMS_ID_KEY if (self.table, name) == ("items", "item_id") else name

    def is_left_alone(self, name: str) -> bool:
        if self._mapped(name).strip().lower() != NONE:
            return False
        if name in REQUIRED[self.table]:
            raise ConfigError(
                f"ingest.columns.{self.key(name)} cannot be none, since every row needs it; name"
                f" one of the columns of {self.path}: {self.listed}."
            )
        return True

    def certain(self, name: str, known: Sequence[str]) -> Chosen | None:
        """What is mapped, has the same name, or is known of the data set."""
        if self.is_left_alone(name):
            return None
        mapped = self._mapped(name)
        by_mapping = self._named([mapped]) if mapped else ()
        same = self._named([name]) or self._alike(name, [name], frozenset())
        by_data_set = self._named(known)
        # The log and the catalogue share the key item_id, so a mapping meant for one of them may
        # name a column that the other does not have.
        if mapped and not by_mapping and name != "item_id":
            raise self._not_a_column(name)
        reasons = ("ingest.columns", "same name", "name in the public data set")
        for names, why in zip((by_mapping, same, by_data_set), reasons, strict=True):
            if names:
                return Chosen(names, why, bool(same) and names != same)
        return None

    def usual(self, name: str, taken: Collection[str]) -> Chosen | None:
        """The one column that has a usual name."""
        names = self._alike(name, USUAL_NAMES[name].split(", "), taken)
        return Chosen(names, "usual name") if names else None

    def missing(self, name: str) -> UserError:
        """The error for a required column that is not there."""
        if self._mapped(name) and self.table == "interactions":
            return self._not_a_column(name)
        return InputDataError(
            f"{self.path} has no column {name}, but {self.listed}; name the right one with --set"
            f" ingest.columns.{self.key(name)}=COLUMN."
        )

    def _not_a_column(self, name: str) -> ConfigError:
        return ConfigError(
            f"ingest.columns.{name} names {self._mapped(name)!r}, which is not a column of"
            f" {self.path}; it has {self.listed}."
        )

    def _mapped(self, name: str) -> str:
        return self.mapping.get(self.key(name), self.mapping.get(name, ""))

    def _named(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those of some names that the table has, exactly or where only one column is alike."""
        matches = []
        for name in names:
            alike = [raw for raw in self.found if _plain(raw) == _plain(name)]
            if name in self.found:
                matches.append(name)
            elif len(alike) == 1:
                matches.append(alike[0])
        return tuple(matches)

    def _alike(self, name: str, names: Sequence[str], taken: Collection[str]) -> tuple[str, ...]:
        wanted = {_plain(one) for one in names}
        alike = [raw for raw in self.found if _plain(raw) in wanted and raw not in taken]
        if len(alike) > 1:
            ways = [f"--set ingest.columns.{self.key(name)}={raw}" for raw in alike]
            ways += [] if name in REQUIRED[self.table] else [f"{ways[0].partition('=')[0]}=none"]
            raise InputDataError(
                f"{self.path} has several columns that may be the {name}, {' and '.join(alike)}:"
                f" say which with {' or '.join(ways)}."
            )
        return tuple(alike)


def _check_keys(mapping: Mapping[str, str]) -> None:
    keys = {*COLUMNS["interactions"], *COLUMNS["items"], ITEMS_ID_KEY}
    unknown = sorted(set(mapping) - keys)
    if unknown:
        raise ConfigError(
            f"ingest.columns knows no {unknown[0]!r}; its keys are {', '.join(sorted(keys))}."
        )


def _plain(name: str) -> str:
    return re.sub(r"[\s_.\-\ufeff]+", "", name).casefold()
