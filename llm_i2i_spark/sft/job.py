"""The fine-tuning job on every rank: train each role's model, save the checkpoints, commit them."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pyarrow as pa

from llm_i2i_spark.base.contract import Scope
from llm_i2i_spark.base.contracts import RELIABILITY_CURVE, TABLES, TRAINING_CURVE
from llm_i2i_spark.base.errors import StageError, UserError
from llm_i2i_spark.base.files import move_into_place, write_atomically
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lake.own_commits import holds_results
from llm_i2i_spark.lake.run_lock import remove_locked_work, unfinished_work_lock
from llm_i2i_spark.lake.unfinished_work import training_folder
from llm_i2i_spark.lm.checkpoint import (
    LoadedCheckpoint,
    load_checkpoint,
    save_checkpoint,
    verify_checkpoint,
)
from llm_i2i_spark.sft.artifacts import ModelArtifacts, Spent, prepare_artifacts
from llm_i2i_spark.sft.calibrate import FittedCalibration
from llm_i2i_spark.sft.catalogue import Catalogue, Numbers
from llm_i2i_spark.sft.distributed import Distributed
from llm_i2i_spark.sft.examples import generator_rows
from llm_i2i_spark.sft.model_inputs import find_model_inputs
from llm_i2i_spark.sft.role_training import RoleTraining
from llm_i2i_spark.sft.roles import ROLES
from llm_i2i_spark.sft.roles.base import Role
from llm_i2i_spark.sft.roles.generator import GENERATOR
from llm_i2i_spark.sft.saved_checkpoints import (
    SavedCheckpoint,
    checkpoint_folders,
    lost_checkpoint,
)
from llm_i2i_spark.sft.training_checkpoints import CurvePoint, TrainingCheckpoints
from llm_i2i_spark.training_job.events import Reporter

ITEM_COLUMNS = ("item_id", "text")
DIGITS = 12
"""Hexadecimal digits of a digest in names and messages."""


@dataclass(frozen=True)
class Job:
    """One fine-tuning run on one rank.

    Attributes:
        config: of the run.
        run: versions to read and result to produce.
        lake: with the export and the checkpoints.
        distributed: this rank.
        reporter: of progress.
        roles: what to train, in order.
    """

    config: Config
    run: PinnedRun
    lake: DeltaRsLake
    distributed: Distributed
    reporter: Reporter
    roles: Sequence[Role] = ROLES
    _loaded: dict[str, LoadedCheckpoint] = field(default_factory=dict, init=False, repr=False)

    @property
    def unfinished(self) -> Path:
        """Folder of the unfinished work of this fingerprint."""
        return training_folder(self.lake.root, self.run.fingerprint)

    def execute(self) -> int:
        """Do all that is not yet done; where another job is at work on the same result, when that
        one has ended.

        Returns:
            The version of the table `checkpoints` that holds the models of all roles.

        Raises:
            UserError: an input is missing or empty, or a setting does not fit.
            StageError: a loss or a score is NaN or infinite.
        """
        ours = unfinished_work_lock(self.unfinished, "fine-tuning")
        with ours if self.distributed.is_main else nullcontext():
            done = self._committed() if self.distributed.is_main else None
            version = self.distributed.broadcast(done)
            return self._train_all() if version is None else version

    def _committed(self) -> int | None:
        """The version of the table that holds this result, where an earlier job has committed it
        and no file of its models is damaged.
        """
        history = self.lake.history("checkpoints")
        if not holds_results(history, self.run.record(self.config, "checkpoints")):
            return None
        try:
            for path in checkpoint_folders(self.lake, history[0].version, self.run.scopes[0]):
                verify_checkpoint(path)
        except UserError:
            return None
        return self._already_there(history[0].version)

    def _already_there(self, version: int) -> int:
        self.reporter.note(f"checkpoints version {version} already holds the result of this run")
        return version

    def _train_all(self) -> int:
        catalogue = self._catalogue()
        artifacts = prepare_artifacts(
            self.config, catalogue.texts, lambda: self._histories(catalogue), self.distributed
        )
        saved: dict[str, SavedCheckpoint] = {}
        for role in self.roles:
            found = self._finished(role)
            saved[role.name] = found or self._train(role, artifacts, catalogue, saved)
        self._loaded.clear()
        return self._commit(list(saved.values()))

    def _catalogue(self) -> Catalogue:
        return Catalogue.of_table(self.lake.read("items", self.run.reads["items"], ITEM_COLUMNS))

    def _histories(self, catalogue: Catalogue) -> Iterator[Numbers]:
        """The numbers of the items of each user that the generator is trained on."""
        rows = generator_rows(self._examples(GENERATOR.export_table), "train", catalogue)
        return rows.item_numbers()

    def _examples(
        self, table: str, columns: Sequence[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        contract = TABLES[table]
        wanted = columns or [name for name in contract.names if name not in contract.scope]
        return self.lake.batches(table, self.run.reads[table], wanted, self.run.scopes[0])

    def _train(
        self,
        role: Role,
        artifacts: ModelArtifacts,
        catalogue: Catalogue,
        saved: Mapping[str, SavedCheckpoint],
    ) -> SavedCheckpoint:
        """Train a role's model from the weights that it starts from, and save its checkpoint."""
        started = time.monotonic()
        training = RoleTraining(
            role=role,
            config=self.config,
            artifacts=artifacts,
            model=artifacts.new_model(),
            catalogue=catalogue,
            examples=self._examples,
            trained=lambda name: self._load(saved[name]),
            distributed=self.distributed,
            reporter=self.reporter,
        )
        checkpoints = TrainingCheckpoints(
            self.unfinished / role.name, self.distributed, self.reporter
        )
        trained = training.train(checkpoints)
        fitted = role.calibrate(training) if role.calibrate else None
        spent = Spent(trained.tokens, time.monotonic() - started)
        return self._save(training, trained.curve, fitted, spent)

    def _load(self, saved: SavedCheckpoint) -> LoadedCheckpoint:
        """A finished checkpoint on this rank's device, kept for the roles that build on it."""
        if saved.role not in self._loaded:
            template = next(role.template for role in self.roles if role.name == saved.role)
            self._loaded[saved.role] = load_checkpoint(
                saved.path, template, str(self.distributed.device), self.config.sft.attention
            )
        return self._loaded[saved.role]

    def _save(
        self,
        training: RoleTraining,
        curve: Sequence[CurvePoint],
        fitted: FittedCalibration | None,
        spent: Spent,
    ) -> SavedCheckpoint:
        """Write a checkpoint where the later stages find it, named by its digest; rank 0 does."""
        role, saved = training.role, None
        if self.distributed.is_main:
            fields = training.artifacts.manifest_fields(
                role, self.run, self.distributed, curve[-1].loss, spent
            )
            lines = "".join(json.dumps(asdict(point), sort_keys=True) + "\n" for point in curve)
            texts = {TRAINING_CURVE: lines}
            if fitted is not None and fitted.reliability is not None:
                fields["expected_calibration_error"] = fitted.reliability.ece
                fields["calibration_users"] = fitted.users
                texts[RELIABILITY_CURVE] = fitted.reliability.to_json()
            files = self.lake.root / "checkpoints_files"
            hidden = files / f".{role.name}-{self.run.fingerprint[:DIGITS]}"
            digest = save_checkpoint(
                hidden,
                training.model,
                training.artifacts.vocabulary,
                training.artifacts.tokenizer,
                fields,
                fitted.calibration if fitted is not None else None,
                texts,
            )
            final = files / f"{role.name}-{digest[:DIGITS]}"
            _publish(hidden, final)
            saved = SavedCheckpoint(role.name, str(final), digest, fields)
            self._remember(saved)
        on_all_ranks = self.distributed.broadcast(saved)
        assert on_all_ranks is not None
        return on_all_ranks

    def _record_file(self, role: str) -> Path:
        return self.unfinished / f"{role}.json"

    def _remember(self, saved: SavedCheckpoint) -> None:
        """Record a finished role, so that a job that starts again does not train it again."""
        write_atomically(self._record_file(saved.role), json.dumps(asdict(saved)))

    def _finished(self, role: Role) -> SavedCheckpoint | None:
        """The checkpoint of a role that an earlier start finished, if it is complete."""
        saved = self._recorded(role) if self.distributed.is_main else None
        return self.distributed.broadcast(saved)

    def _recorded(self, role: Role) -> SavedCheckpoint | None:
        file = self._record_file(role.name)
        if not file.is_file():
            return None
        try:
            saved = SavedCheckpoint(**json.loads(file.read_text(encoding="utf-8")))
            found = load_checkpoint(saved.path, role.template, "cpu")
            complete = saved == SavedCheckpoint(
                role.name, saved.path, found.digest, dict(found.manifest)
            )
        except (UserError, ValueError, TypeError) as error:
            self.reporter.note(
                f"the finished {role.name} is not usable and is trained again: {error}"
            )
            return None
        if complete:
            self.reporter.note(f"the {role.name} {saved.digest[:DIGITS]} is already trained")
        return saved if complete else None

    def _commit(self, saved: Sequence[SavedCheckpoint]) -> int:
        version = 0
        if self.distributed.is_main:
            tables = {role.name: role.export_table for role in self.roles}
            rows = [
                {
                    **self.run.scopes[0],
                    "role": checkpoint.role,
                    "model_digest": checkpoint.digest,
                    "path": checkpoint.path,
                    "base_model": self.config.sft.base_model or "compact",
                    "export_version": self.run.reads[tables[checkpoint.role]],
                    "manifest": json.dumps(checkpoint.fields, sort_keys=True),
                }
                for checkpoint in saved
            ]
            digests = {f"{checkpoint.role}_digest": checkpoint.digest for checkpoint in saved}
            tokens = {checkpoint.role: checkpoint.fields["tokens"] for checkpoint in saved}
            record = self.run.record(self.config, "checkpoints", **digests, tokens=tokens)
            self._require_same_inputs()
            version, added = self.lake.commit(rows, record, self._is_usable)
            if not added:
                self._already_there(version)
            remove_locked_work(self.unfinished)
        return self.distributed.broadcast(version)

    def _require_same_inputs(self) -> None:
        """See that the base model and the other files are still those that the run was planned on.

        Raises:
            StageError: one was changed while the job ran.
        """
        found = find_model_inputs(self.config)
        for name, pinned in self.run.external_inputs.items():
            if pinned.digest not in ("", found[name].digest):
                raise StageError(f"{name} was changed while it was read; start the run again.")

    def _is_usable(self, scope: Scope) -> bool:
        """Whether the checkpoints that the table names for a branch are there."""
        return lost_checkpoint(self.lake, self.lake.version("checkpoints") or 0, scope) is None


def _publish(hidden: Path, final: Path) -> None:
    """Give a checkpoint its final name; a complete one of this digest stays for its readers."""
    try:
        verify_checkpoint(final)
    except UserError:
        move_into_place(hidden, final)
    else:
        shutil.rmtree(hidden)
