"""Everything that a user's rows touched, as plain data, and as text and HTML."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from llm_i2i_spark.base.contract import result_name
from llm_i2i_spark.base.printed import Printed
from llm_i2i_spark.prompts.render import clean_text

TITLE_CHARS = 48


@dataclass(frozen=True)
class UserRows:
    """Rows of the user in one result upstream of the index.

    Attributes:
        table: its name.
        scope: which of the results in the table.
        version: of the table, as the index was made from it.
        rows: of the user.
    """

    table: str
    scope: dict[str, str]
    version: int
    rows: int

    def __str__(self) -> str:
        return f"{result_name(self.table, self.scope)} v{self.version}: {self.rows:,} rows"


@dataclass(frozen=True)
class SyntheticRow:
    """An interaction that a language model added for the user.

    Attributes:
        item_id: with which item.
        title: of it; None without one.
        weight: of the edge.
        confidence: calibrated probability that the user takes it, or the share of votes.
    """

    item_id: str
    title: str | None
    weight: float
    confidence: float | None


@dataclass(frozen=True)
class TrainedModel:
    """A model whose training examples include some of the user.

    Attributes:
        table: `checkpoints` or `combiners`.
        name: its role, or variant and backbone.
        digest: sha256 over its files.
        path: its folder.
        examples: of the user.
    """

    table: str
    name: str
    digest: str
    path: str
    examples: int


@dataclass(frozen=True)
class TouchedEntry:
    """A neighbour in the index that the user has together with the item.

    Attributes:
        item_id: whose list.
        neighbor_id: the neighbour.
        rank: in the list, from 1.
        score: as it is served.
        support: users behind the similarity; None where the backbone does not count them.
    """

    item_id: str
    neighbor_id: str
    rank: int
    score: float
    support: int | None


@dataclass(frozen=True)
class UserTrace(Printed):
    """Everything that a user's rows touched, up to one index.

    Attributes:
        user_id: whose rows.
        variant: what the index was made from.
        backbone: the item-to-item model.
        index_version: of the table `item_index`.
        rows: of the user in every result upstream, from the log on; those without any left out.
        synthetic: what language models added, the heaviest first.
        models: that were trained on examples of the user.
        votes: rows of other users that steps of this one voted for (variant llm_cf).
        is_learned: whether the backbone is trained, so that any list may depend on the user.
        entries_total: neighbours in the index that the user has together with the item.
        entries: the first of them: the fewest users behind them first, then by rank.
        titles: of the items of these entries, by id.
    """

    user_id: str
    variant: str
    backbone: str
    index_version: int
    rows: tuple[UserRows, ...]
    synthetic: tuple[SyntheticRow, ...]
    models: tuple[TrainedModel, ...]
    votes: int
    is_learned: bool
    entries_total: int
    entries: tuple[TouchedEntry, ...]
    titles: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """For a terminal."""
        lines = [
            f"user {self.user_id}, {self.variant}, {self.backbone}, item_index"
            f" v{self.index_version}",
            "rows of the user",
            *(f"  {one}" for one in self.rows),
            f"interactions that language models added: {len(self.synthetic):,}",
            *(f"  {self._synthetic(one)}" for one in self.synthetic),
            f"models trained on rows of the user: {len(self.models):,}",
            *(f"  {_model(one)}" for one in self.models),
        ]
        if self.votes:
            lines.append(f"rows of other users that steps of this one voted for: {self.votes:,}")
        lines.append(f"neighbours that the user has with the item: {self.entries_total:,}")
        lines += [f"  {self._entry(one)}" for one in self.entries]
        if self.entries_total > len(self.entries):
            lines.append(f"  and {self.entries_total - len(self.entries):,} more")
        if self.is_learned:
            lines.append(f"{self.backbone} is trained: any list may depend on the user a little")
        return lines

    def _named(self, item: str, title: str | None = None) -> str:
        title = clean_text(title or self.titles.get(item, ""), TITLE_CHARS)
        return f"{title} ({item})" if title and title != item else item

    def _synthetic(self, row: SyntheticRow) -> str:
        text = f"{self._named(row.item_id, row.title)}: weight {row.weight:.4g}"
        return text if row.confidence is None else f"{text}, confidence {row.confidence:.4g}"

    def _entry(self, entry: TouchedEntry) -> str:
        text = (
            f"{self._named(entry.item_id)}  →  {self._named(entry.neighbor_id)}: rank {entry.rank},"
            f" score {entry.score:.6g}"
        )
        return text if entry.support is None else f"{text}, {entry.support:,} users behind it"


def _model(model: TrainedModel) -> str:
    return (
        f"{model.name} {model.digest[:12]} in {model.path} ({model.examples:,} examples of the"
        " user)"
    )
