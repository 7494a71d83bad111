"""Every table of the lake: its columns, key, constraints and the stage that writes it.

Types are Spark DDL strings, so that the contract needs neither Spark nor Arrow to be read; `lake`
and the workers derive their schemas from it. Ids are strings at every edge; dense int32 ids exist
only inside `i2i`.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Column:
    """One column: its name, its Spark DDL type and whether null is allowed."""

    name: str
    type: str
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """The contract of one Delta table.

    Attributes:
        name: also the folder under `lake.root` and the table in `lake.schema`.
        stage: the only stage that writes it.
        key: columns that identify a row.
        columns: in the order they are written.
        checks: SQL conditions that the engine enforces on every write, by name.
        cluster_by: columns of liquid clustering, where the table is read by key.
        append: whether runs add rows; otherwise a run replaces the table in one commit.
        change_feed: whether Delta keeps what each commit changed, for a stage that only follows the
            changes.
    """

    name: str
    stage: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    checks: dict[str, str] = field(default_factory=dict)
    cluster_by: tuple[str, ...] = ()
    append: bool = False
    change_feed: bool = False

    @property
    def ddl(self) -> str:
        """The columns as a Spark DDL string."""
        return ", ".join(
            f"{c.name} {c.type}{'' if c.nullable else ' NOT NULL'}" for c in self.columns
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The column names in order."""
        return tuple(column.name for column in self.columns)


def _columns(*rows: str) -> tuple[Column, ...]:
    """Columns from `name type` lines; a name with a trailing `?` may be null."""
    parts = [row.split(" ", 1) for row in rows]
    return tuple(Column(name.rstrip("?"), kind, name.endswith("?")) for name, kind in parts)


ITEM = "struct<item_id:string,text:string>"
TARGET = "struct<item_id:string,text:string,loss_weight:double>"
NEIGHBOR = "struct<item_id:string,score:double,rank:int,synthetic_share:double>"

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "interactions",
            "ingest",
            ("user_id", "item_id"),
            _columns(
                "user_id string",
                "item_id string",
                "ts? timestamp",
                "position int",
                "event string",
                "weight double",
                "fold string",
            ),
            {"known_fold": "fold IN ('train', 'valid', 'test')", "positive_weight": "weight > 0"},
            ("user_id",),
        ),
        Table(
            "quarantine",
            "ingest",
            ("table", "raw"),
            _columns("table string", "raw string", "reason string", "run_id string"),
        ),
        Table(
            "items",
            "ingest",
            ("item_id",),
            _columns(
                "item_id string",
                "title? string",
                "brand? string",
                "category? string",
                "text string",
                "extra map<string,string>",
            ),
            cluster_by=("item_id",),
        ),
        Table(
            "item_stats",
            "ingest",
            ("item_id",),
            _columns(
                "item_id string",
                "n_interactions bigint",
                "n_users bigint",
                "popularity_rank int",
                "is_long_tail boolean",
            ),
        ),
        Table(
            "sft_generator",
            "export",
            ("example_id",),
            _columns(
                "example_id string",
                "user_id string",
                "split string",
                f"history array<{ITEM}>",
                f"targets array<{TARGET}>",
            ),
            {"known_split": "split IN ('train', 'calibration')"},
        ),
        Table(
            "sft_discriminator",
            "export",
            ("example_id",),
            _columns(
                "example_id string",
                "user_id string",
                "position int",
                f"history array<{ITEM}>",
                f"candidate {ITEM}",
                "label boolean",
            ),
        ),
        Table(
            "checkpoints",
            "sft",
            ("role", "model_digest"),
            _columns(
                "role string",
                "model_digest string",
                "path string",
                "base_model string",
                "export_version bigint",
                "manifest string",
            ),
        ),
        Table(
            "candidates",
            "generate",
            ("user_id", "item_id"),
            _columns(
                "user_id string",
                "item_id string",
                "rank int",
                "log_prob double",
                "model_digest string",
                "prompt_digest string",
                "decode_digest string",
            ),
            {"log_probability": "log_prob <= 0"},
            ("user_id",),
        ),
        Table(
            "scored",
            "discriminate",
            ("user_id", "item_id"),
            _columns(
                "user_id string",
                "item_id string",
                "source string",
                "p_yes double",
                "confidence double",
                "decision boolean",
                "model_digest string",
                "prompt_digest string",
            ),
            {"probabilities": "p_yes BETWEEN 0 AND 1 AND confidence BETWEEN 0 AND 1"},
            ("user_id",),
        ),
        Table(
            "fused",
            "fuse",
            ("variant", "user_id", "item_id"),
            _columns(
                "variant string",
                "user_id string",
                "item_id string",
                "weight double",
                "source string",
                "confidence? double",
                "ts? timestamp",
                "position? int",
            ),
            {
                "known_source": "source IN ('real', 'synthetic')",
                "edge_weight": "weight > 0 AND weight <= 1",
                "real_edge_weight": "source <> 'real' OR weight = 1",
            },
            ("item_id",),
            change_feed=True,
        ),
        Table(
            "item_numbers",
            "i2i",
            ("item_id",),
            _columns("item_id string", "item int", "clicks bigint", "lot int"),
        ),
        Table(
            "item_similarity",
            "i2i",
            ("variant", "backbone", "item_id", "neighbor_id"),
            _columns(
                "variant string",
                "backbone string",
                "item_id string",
                "neighbor_id string",
                "similarity double",
                "support int",
                "synthetic_share double",
            ),
            {"share": "synthetic_share BETWEEN 0 AND 1"},
            ("item_id",),
        ),
        Table(
            "item_index",
            "index",
            ("variant", "backbone", "item_id"),
            _columns(
                "variant string",
                "backbone string",
                "item_id string",
                f"neighbors array<{NEIGHBOR}>",
            ),
            cluster_by=("item_id",),
        ),
        Table(
            "metrics",
            "evaluate",
            ("run_id", "variant", "backbone", "protocol", "slice", "name", "k"),
            _columns(
                "run_id string",
                "variant string",
                "backbone string",
                "protocol string",
                "slice string",
                "name string",
                "k int",
                "value double",
                "ci_low? double",
                "ci_high? double",
                "n bigint",
            ),
            append=True,
        ),
    )
}
"""Every table by name, in the order of the way through."""
