"""How large a log is, as far as the cost of the language models goes by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from llm_i2i_spark.base.run_record import Histories, commit_of

LOG_SIZE = "log_size"
"""Attribute of the run record of `item_stats`: the counts that `LogSize.of_counts` reads."""
LONGEST_COUNTED = 256
"""Positions of a history that are counted; no prompt shows as many items by default."""


@dataclass(frozen=True)
class LogSize:
    """Users by the number of items that models see of them, and the catalogue.

    Attributes:
        lengths: users with exactly n items at index n - 1; the last place has those with more too.
        items: of the catalogue.
        text_bytes: mean length of an item's text, UTF-8.
    """

    lengths: tuple[float, ...]
    items: float
    text_bytes: float

    @property
    def users(self) -> float:
        """Of whom models see an item at least."""
        return sum(self.lengths)

    @property
    def interactions(self) -> float:
        """That models see."""
        return sum(number * users for number, users in enumerate(self.lengths, start=1))

    @classmethod
    def of_counts(
        cls, counts: Mapping[str, Any], folds: Sequence[str], hold_back: int = 0
    ) -> LogSize:
        """From what stage ingest counted.

        Args:
            counts: `at_position`, by fold the rows at each position of a history, `items` and
                `text_bytes`.
            folds: that models may see; in each history they come before the others.
            hold_back: latest items in these folds that are left out of every longer history
                (`split.hold_back`).
        """
        seen = [counts["at_position"].get(fold, ()) for fold in folds]
        # A user has a row at position n - 1 just where there are n items at least.
        at_least = [sum(rows) for rows in zip_longest(*seen, fillvalue=0)]
        lengths = [
            max(here - after, 0) for here, after in zip_longest(at_least, at_least[1:], fillvalue=0)
        ]
        shorter = zip_longest(lengths[:hold_back], lengths[hold_back:], fillvalue=0)
        kept = [sum(both) for both in shorter] if hold_back else lengths
        return cls(tuple(kept), counts["items"], counts["text_bytes"])


def counts_of_lake(histories: Histories) -> Mapping[str, Any] | None:
    """What stage ingest counted of the log that a lake holds; None before it has run, and where an
    earlier version of the package wrote the tables.
    """
    commit = commit_of(histories.history("item_stats"), {})
    found = commit.record.attributes.get(LOG_SIZE) if commit and commit.record else None
    return found if isinstance(found, Mapping) else None


def geometric_log(users: float, items: float, mean_length: float, text_bytes: float) -> LogSize:
    """A log of which only the totals are known: the number of a user's items is geometric.

    Args:
        users: how many.
        items: of the catalogue.
        mean_length: items of a user, above 1.
        text_bytes: mean length of an item's text, UTF-8.
    """
    more = 1 - 1 / mean_length
    lengths = [users * more**number / mean_length for number in range(LONGEST_COUNTED - 1)]
    return LogSize((*lengths, users * more ** (LONGEST_COUNTED - 1)), items, text_bytes)
