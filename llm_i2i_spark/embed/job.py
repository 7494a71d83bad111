"""The job of stage embed: learn the vectors of each scope's items and the network of its users,
commit them as tables.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import pyarrow as pa

from llm_i2i_spark.backbones.embedding.backbone import EmbeddingBackbone
from llm_i2i_spark.backbones.embedding.interaction_matrix import columns_for, interaction_matrix
from llm_i2i_spark.base.contract import scope_key
from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.run_record import now
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.training_job.events import Reporter


@dataclass(frozen=True)
class Job:
    """One run of the job.

    Attributes:
        config: of the run.
        run: versions to read, results to produce: a variant and a backbone each.
        lake: with the tables `fused`, `item_embeddings` and `user_networks`.
        reporter: of progress.
    """

    config: Config
    run: PinnedRun
    lake: DeltaRsLake
    reporter: Reporter

    def execute(self) -> int:
        """Learn the embeddings of one scope after the other. Each is committed when it is learned,
        so that a run which is killed keeps those before.

        Returns:
            The version of the table that holds all of them.

        Raises:
            UserError: a table is missing or damaged.
            StageError: a loss is NaN or infinite.
        """
        return max([self._embed(scope) for scope in self.run.scopes])

    def _embed(self, scope: dict[str, str]) -> int:
        key, began, started = scope_key(scope), now(), time.monotonic()
        backbone = self.config.i2i.parameters(scope["backbone"])
        if not isinstance(backbone, EmbeddingBackbone):
            raise ConfigError(f"Backbone {backbone.name} learns no embeddings.")
        variant = {"variant": scope["variant"]}
        columns = columns_for(backbone.needs_order)
        interactions = interaction_matrix(
            self.lake.read("fused", self.run.reads["fused"], columns, variant)
        )
        title = f"{scope['backbone']} of {scope['variant']}"
        learned = backbone.learn(
            interactions,
            self.config.seed,
            lambda done, total, note: self.reporter.progress(
                title, done, total, "interactions", note
            ),
        )
        own = replace(
            self.run, scopes=(scope,), results={key: self.run.results[key]}, started=began
        )
        told = {
            "model_digests": {key: learned.digest},
            "losses": {key: learned.losses},
            "learning_seconds": {key: round(time.monotonic() - started, 1)},
        }
        for table, rows in (
            ("user_networks", learned.network_to_arrow()),
            ("item_embeddings", learned.to_arrow()),
        ):
            record = own.record(self.config, table, **told)
            version, added = self.lake.commit(_in_scope(rows, scope), record)
        if not added:
            self.reporter.note(f"item_embeddings version {version} already holds {key}")
        return version


def _in_scope(rows: pa.Table, scope: dict[str, str]) -> pa.Table:
    """The rows with the columns that tell results apart."""
    for name, value in reversed(scope.items()):
        rows = rows.add_column(0, name, pa.array([value] * len(rows), pa.string()))
    return rows
