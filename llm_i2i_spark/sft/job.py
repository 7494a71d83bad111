"""The fine-tuning job, on every rank: read, train the generator, mine, train the discriminator,
calibrate, save, commit.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lm.calibration import Calibration
from llm_i2i_spark.lm.checkpoint import (
    LoadedCheckpoint,
    load_checkpoint,
    save_checkpoint,
    verify_checkpoint,
)
from llm_i2i_spark.lm.model import ItemLanguageModel
from llm_i2i_spark.sft.artifacts import EXPORTS, Material, Role, prepare
from llm_i2i_spark.sft.calibrate import calibrate
from llm_i2i_spark.sft.discriminator import DiscriminatorObjective, centre_on, with_hard_negatives
from llm_i2i_spark.sft.distributed import Ranks
from llm_i2i_spark.sft.engine import TrainingPlan
from llm_i2i_spark.sft.events import Reporter
from llm_i2i_spark.sft.examples import generator_rows, judged_groups, known_items
from llm_i2i_spark.sft.generator import GeneratorObjective
from llm_i2i_spark.sft.training import train
from llm_i2i_spark.sft.training_checkpoints import CurvePoint, Partials

DIGITS = 12


@dataclass(frozen=True)
class Saved:
    """A checkpoint that is in its place.

    Attributes:
        fields: of its manifest.
    """

    role: Role
    path: str
    digest: str
    fields: dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One fine-tuning run on one rank."""

    config: Config
    run: PinnedRun
    lake: DeltaRsLake
    ranks: Ranks
    reporter: Reporter

    @property
    def partial(self) -> Path:
        """Where unfinished work of this fingerprint is kept."""
        return self.lake.root / "checkpoints_files" / "_partial" / self.run.fingerprint[:32]

    def execute(self) -> int:
        """Do all that is not yet done.

        Returns:
            The version of the table `checkpoints` that holds both models.

        Raises:
            UserError: an input is missing or empty, or a setting does not fit.
            StageError: a model's numbers are not numbers.
        """
        catalogue = self._catalogue()
        exported = self._read(
            "sft_generator", "example_id", "user_id", "split", "history", "targets"
        )
        material = prepare(self.config, catalogue, self.ranks)
        generator_saved = self._generator(material, exported)
        generator = load_checkpoint(
            generator_saved.path, str(self.ranks.device), self.config.sft.attention
        )
        discriminator_saved = self._discriminator(material, generator, exported, catalogue)
        return self._commit([generator_saved, discriminator_saved])

    def _discriminator(
        self,
        material: Material,
        generator: LoadedCheckpoint,
        exported: pa.Table,
        catalogue: dict[str, str],
    ) -> Saved:
        """Train the discriminator from the generator's weights, and calibrate the two together."""
        started, device = time.monotonic(), self.ranks.device
        known = known_items(exported)
        groups = judged_groups(
            self._read(
                "sft_discriminator",
                "example_id",
                "user_id",
                "position",
                "history",
                "candidate",
                "label",
            )
        )
        if self.config.export.negatives == "generator":
            groups = with_hard_negatives(
                groups, generator, known, catalogue, self.config.seed, self.ranks, self.reporter
            )
        model = material.new_model()
        model.load_state_dict(generator.model.state_dict())
        centre_on(groups, material.loaded(model.to(device), "discriminator", device))
        objective = DiscriminatorObjective(groups, material.encoder(model, "discriminator"), device)
        curve = self._train(
            model,
            objective,
            TrainingPlan.of_discriminator(self.config.sft, self.config.seed, device),
        )
        judge = material.loaded(model, "discriminator", device)
        held = list(generator_rows(exported, "calibration"))
        per_user = self.config.generate.per_user
        calibration = calibrate(
            held, generator, judge, known, catalogue, per_user, self.ranks, self.reporter
        )
        if calibration is None:
            self.reporter.note(
                "no users are withheld for calibration (export.calibration_share), so confidence"
                " will be p_yes as it is"
            )
        return self._save(material, "discriminator", model, curve, started, calibration)

    def _catalogue(self) -> dict[str, str]:
        """Text by item id."""
        table = self._read("items", "item_id", "text")
        return dict(
            zip(table.column("item_id").to_pylist(), table.column("text").to_pylist(), strict=True)
        )

    def _read(self, table: str, *columns: str) -> pa.Table:
        scope = self.run.scopes[0] if TABLES[table].scope else None
        return self.lake.read(table, self.run.reads[table], columns, scope)

    def _train(
        self, model: ItemLanguageModel, objective: Any, plan: TrainingPlan
    ) -> list[CurvePoint]:
        partials = Partials(self.partial / plan.role, self.ranks, self.reporter)
        return train(model, objective, plan, self.ranks, partials, self.reporter)

    def _generator(self, material: Material, exported: pa.Table) -> Saved:
        """Train the generator, unless this fingerprint's is finished and whole."""
        pointer = self.partial / "generator.json"
        finished = self.ranks.from_first(self._finished(pointer) if self.ranks.first else None)
        if finished is not None:
            return finished
        started = time.monotonic()
        model = material.new_model()
        model.label_head.requires_grad_(False)  # the discriminator's own
        objective = GeneratorObjective(
            generator_rows(exported, "train"),
            material.encoder(model, "generator"),
            material.vocabulary.n_tokens,
            self.config.sft.sampled_negatives,
            self.ranks.device,
        )
        plan = TrainingPlan.of_generator(self.config.sft, self.config.seed, self.ranks.device)
        saved = self._save(
            material, "generator", model, self._train(model, objective, plan), started, None
        )
        if self.ranks.first:
            pointer.parent.mkdir(parents=True, exist_ok=True)
            hidden = pointer.with_suffix(".writing")
            hidden.write_text(json.dumps(asdict(saved)), encoding="utf-8")
            hidden.replace(pointer)
        return saved

    def _finished(self, pointer: Path) -> Saved | None:
        if not pointer.is_file():
            return None
        try:
            saved = Saved(**json.loads(pointer.read_text(encoding="utf-8")))
            whole = load_checkpoint(saved.path, "cpu").digest == saved.digest
        except (UserError, ValueError, TypeError) as error:
            self.reporter.note(
                f"the finished generator is not usable and is trained again: {error}"
            )
            return None
        if whole:
            self.reporter.note(f"the generator {saved.digest[:DIGITS]} is already trained")
        return saved if whole else None

    def _save(
        self,
        material: Material,
        role: Role,
        model: ItemLanguageModel,
        curve: Sequence[CurvePoint],
        started: float,
        calibration: Calibration | None,
    ) -> Saved:
        """Write a checkpoint where the later stages find it, named by its digest; rank 0 does."""
        saved = None
        if self.ranks.first:
            files = self.lake.root / "checkpoints_files"
            fields = material.manifest_fields(
                role, self.run, self.ranks, curve[-1].loss, time.monotonic() - started
            )
            text = "".join(json.dumps(asdict(point), sort_keys=True) + "\n" for point in curve)
            waiting = files / f".{role}-{self.run.fingerprint[:DIGITS]}"
            digest = save_checkpoint(
                waiting,
                model,
                material.vocabulary,
                material.tokenizer,
                fields,
                calibration,
                {"training.jsonl": text},
            )
            final = files / f"{role}-{digest[:DIGITS]}"
            _put_in_place(waiting, final)
            saved = Saved(role, str(final), digest, fields)
        everywhere = self.ranks.from_first(saved)
        assert everywhere is not None
        return everywhere

    def _commit(self, saved: Sequence[Saved]) -> int:
        version = 0
        if self.ranks.first:
            rows = [
                {
                    **self.run.scopes[0],
                    "role": one.role,
                    "model_digest": one.digest,
                    "path": one.path,
                    "base_model": self.config.sft.base_model or "compact",
                    "export_version": self.run.reads[EXPORTS[one.role]],
                    "manifest": json.dumps(one.fields, sort_keys=True),
                }
                for one in saved
            ]
            record = self.run.record(
                self.config, "checkpoints", **{f"{one.role}_digest": one.digest for one in saved}
            )
            version, added = self.lake.commit(rows, record)
            if not added:
                self.reporter.note(
                    f"checkpoints version {version} already holds the result of this run"
                )
            shutil.rmtree(self.partial, ignore_errors=True)
        return self.ranks.from_first(version)


def _put_in_place(waiting: Path, final: Path) -> None:
    """Give a checkpoint its final name; one of this digest that is already there, and whole, is
    left for its readers.
    """
    try:
        verify_checkpoint(final)
    except UserError:
        shutil.rmtree(final, ignore_errors=True)
        waiting.rename(final)
    else:
        shutil.rmtree(waiting)
