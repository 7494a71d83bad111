"""The job of stage combine: train each scope's combiner, save the checkpoints, commit them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from llm_i2i_spark import __version__
from llm_i2i_spark.backbones.blend_engine.combiner_checkpoints import (
    read_checkpoint,
    save_combiner,
)
from llm_i2i_spark.base.contract import Scope, result_name, scope_key
from llm_i2i_spark.base.errors import InputDataError, StageError
from llm_i2i_spark.base.manifest import MANIFEST
from llm_i2i_spark.base.run_record import fingerprint_in
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.combine.examples import COLUMNS, FlatExamples, flatten_examples, no_examples
from llm_i2i_spark.combine.training import CombinerTraining, TrainedCombiner, train_combiner
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.kernels.pair_features import feature_names
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.training_job.events import Reporter

DIGITS = 12
"""Hexadecimal digits of a digest in names and messages."""


@dataclass(frozen=True)
class SavedCombiner:
    """A combiner that is complete and in its final folder.

    Attributes:
        scope: variant and backbone.
        path: of the folder.
        digest: model digest.
        fields: of the manifest.
    """

    scope: dict[str, str]
    path: str
    digest: str
    fields: dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One run of the job, on the examples that stage combine has written for this very run.

    Attributes:
        config: of the run.
        run: results to produce: a variant and a backbone each.
        lake: with the tables `mixtures`, `combiner_examples` and `combiners`.
        reporter: of progress.
    """

    config: Config
    run: PinnedRun
    lake: DeltaRsLake
    reporter: Reporter

    def execute(self) -> int:
        """Do all that is not yet done.

        Returns:
            The version of the table `combiners` that holds the combiners of all scopes.

        Raises:
            UserError: a table is missing or damaged.
            StageError: a table holds no rows of this run, or a loss is NaN or infinite.
        """
        for table in ("mixtures", "combiner_examples"):
            for scope in self.run.scopes:
                self._require_own(table, scope)
        return self._commit(
            [self._finished(scope) or self._train(scope) for scope in self.run.scopes]
        )

    def _require_own(self, table: str, scope: Scope) -> None:
        """See that the rows of a table are those of this run, and not of one before.

        Raises:
            StageError: they are not.
        """
        found = fingerprint_in(self.lake.history(table), scope)
        if found != self._fingerprint(scope):
            raise StageError(
                f"{result_name(table, scope)} is not of this run; run stage combine again."
            )

    def _fingerprint(self, scope: Scope) -> str:
        return self.run.results[scope_key(scope)].fingerprint

    def _folder(self, scope: Scope) -> Path:
        """Where the combiner of a result is: equal results have equal folders."""
        name = "-".join([*scope.values(), self._fingerprint(scope)[:DIGITS]])
        return self.lake.root / "combiners_files" / name

    def _finished(self, scope: dict[str, str]) -> SavedCombiner | None:
        """The combiner that an earlier start finished, if it is complete."""
        folder = self._folder(scope)
        if not (folder / MANIFEST).is_file():
            return None
        try:
            found = read_checkpoint(folder)
        except InputDataError as error:
            self.reporter.note(
                f"the finished combiner of {_title(scope)} is not usable and is trained again:"
                f" {error}"
            )
            return None
        self.reporter.note(f"the combiner of {_title(scope)} {found.digest[:DIGITS]} is trained")
        return SavedCombiner(scope, str(folder), found.digest, found.fields)

    def _train(self, scope: dict[str, str]) -> SavedCombiner:
        started = time.monotonic()
        examples = self._examples(scope, self._features(scope))
        training = training_of(self.config, scope["backbone"])
        trained = train_combiner(examples, training, self.config.seed, self.reporter, _title(scope))
        fields = {
            **self._fields(trained, examples),
            "backbone": scope["backbone"],
            "variant": scope["variant"],
            "training": asdict(training),
            "seconds": round(time.monotonic() - started, 1),
        }
        folder = self._folder(scope)
        curve = [asdict(point) for point in trained.curve]
        digest = save_combiner(folder, trained.combiner, curve, fields)
        return SavedCombiner(scope, str(folder), digest, fields)

    def _features(self, scope: Scope) -> int:
        """How many numbers the combiner is shown of a pair; its components are the mixture's."""
        rows = self.lake.read("mixtures", None, ["component"], scope)
        return len(feature_names(tuple(set(rows.column("component").to_pylist()))))

    def _examples(self, scope: Scope, features: int) -> FlatExamples:
        try:
            rows = self.lake.read("combiner_examples", None, COLUMNS, scope)
        except InputDataError:  # no rows: nobody to learn from
            return no_examples(features)
        return flatten_examples(rows, features)

    def _fields(self, trained: TrainedCombiner, examples: FlatExamples) -> dict[str, Any]:
        best = trained.curve[trained.best_epoch - 1] if trained.best_epoch else None
        return {
            "best_epoch": trained.best_epoch,
            "code_version": __version__,
            "examples": len(examples.held_out),
            "features": examples.features.shape[1],
            "held_out_examples": int(examples.held_out.sum()),
            "held_out_loss": best.held_out_loss if best else trained.mixture_loss,
            "mixture_loss": trained.mixture_loss,
            "run_id": self.run.run_id,
            "seed": self.config.seed,
        }

    def _commit(self, saved: Sequence[SavedCombiner]) -> int:
        rows = [
            {
                **one.scope,
                "model_digest": one.digest,
                "path": one.path,
                "examples": one.fields["examples"],
                "manifest": json.dumps(one.fields, sort_keys=True),
            }
            for one in saved
        ]
        digests = {scope_key(one.scope): one.digest for one in saved}
        record = self.run.record(self.config, "combiners", model_digests=digests)
        version, added = self.lake.commit(
            rows, record, lambda scope: self._is_committed(scope, digests[scope_key(scope)])
        )
        if not added:
            self.reporter.note(f"combiners version {version} already holds the result of this run")
        return version

    def _is_committed(self, scope: Scope, digest: str) -> bool:
        """Whether the table names the combiner that this job has for a scope: another machine may
        have trained another one from the same examples.
        """
        rows = self.lake.read("combiners", None, ["model_digest"], scope)
        return bool(rows.column("model_digest").to_pylist() == [digest])


def training_of(config: Config, backbone: str) -> CombinerTraining:
    """How the combiner of a backbone is trained: those of the backbone's parameters that have the
    names of `CombinerTraining`.
    """
    parameters: Mapping[str, Any] = config.i2i.parameters(backbone).model_dump()
    return CombinerTraining(
        **{name: parameters[name] for name in CombinerTraining.__dataclass_fields__}
    )


def _title(scope: Mapping[str, str]) -> str:
    return f"{scope['backbone']} of {scope['variant']}"
