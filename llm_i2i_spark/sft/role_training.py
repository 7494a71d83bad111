"""Training of one role on one rank: the model, and what its objective and calibration use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.encoding import Encoder
from llm_i2i_spark.lm.lora import add_adapters
from llm_i2i_spark.lm.model import ItemLanguageModel
from llm_i2i_spark.sft.artifacts import ModelArtifacts
from llm_i2i_spark.sft.catalogue import Catalogue
from llm_i2i_spark.sft.distributed import Distributed
from llm_i2i_spark.sft.engine import TrainingPlan
from llm_i2i_spark.sft.known_items import KnownItems
from llm_i2i_spark.sft.roles.base import Role
from llm_i2i_spark.sft.roles.generator import GENERATOR
from llm_i2i_spark.sft.training import train, trained_tokens
from llm_i2i_spark.sft.training_checkpoints import CurvePoint, TrainingCheckpoints
from llm_i2i_spark.sft.user_sample import rows_of_some_users
from llm_i2i_spark.training_job.events import Reporter

if TYPE_CHECKING:
    from peft import LoraModel


class Trained(NamedTuple):
    """What a training has done.

    Attributes:
        curve: of its loss.
        tokens: that it was trained on, all epochs together, padding not counted.
    """

    curve: list[CurvePoint]
    tokens: int


@dataclass(frozen=True)
class RoleTraining:
    """What the functions of a `Role` are given.

    Attributes:
        role: that is trained.
        config: of the run.
        artifacts: tokenizer, vocabulary and text features, the same for all roles.
        model: with the weights that training starts from; trained in place.
        catalogue: of the run.
        examples: reads an export table at the version of the run, some rows at a time, all columns
            or those of some names.
        trained: loads the finished checkpoint of an earlier role, by its name.
        distributed: this rank.
        reporter: of progress.
    """

    role: Role
    config: Config
    artifacts: ModelArtifacts
    model: ItemLanguageModel
    catalogue: Catalogue
    examples: Callable[[str, Sequence[str] | None], Iterable[pa.RecordBatch]]
    trained: Callable[[str], LoadedCheckpoint]
    distributed: Distributed
    reporter: Reporter

    @property
    def encoder(self) -> Encoder:
        """Encodes examples for the model."""
        return self.artifacts.encoder(self.model, self.role)

    @cached_property
    def plan(self) -> TrainingPlan:
        """The numbers of the training."""
        settings, device = self.config.sft, self.distributed.device
        return TrainingPlan.of_role(self.role, settings, self.config.seed, device)

    def training_rows(self, column: str, value: object) -> Iterable[pa.RecordBatch]:
        """The rows of the role's table; where `sft.max_steps` take fewer, those of some users.

        Args:
            column: by which examples are counted: the rows in which it has ...
            value: ... this one.
        """
        plan, table = self.plan, self.role.export_table
        most = None if plan.max_steps is None else plan.max_steps * plan.batch_size
        read = partial(self.examples, table)
        return rows_of_some_users(read, most, column, value, self.config.seed)

    def train(self, checkpoints: TrainingCheckpoints) -> Trained:
        """Train the model in place, from the newest training checkpoint where there is one; its
        weights are whole afterwards, adapters merged.

        Raises:
            ConfigError: there is nothing to train on, or settings do not fit.
            StageError: the loss or a weight is NaN or infinite.
        """
        adapters = self._prepare_model()
        objective = self.role.objective(self)
        curve = train(
            self.model, objective, self.plan, self.distributed, checkpoints, self.reporter
        )
        if adapters is not None:
            adapters.merge_and_unload()
        return Trained(curve, trained_tokens(objective, self.plan, self.distributed))

    def _prepare_model(self) -> LoraModel | None:
        """Load the weights that the role starts from, and freeze what it does not train.

        Returns:
            The adapters that are trained in place of the base model; None for full fine-tuning.
        """
        if self.role.starts_from is not None:
            self.model.load_state_dict(self.trained(self.role.starts_from).model.state_dict())
        for name in self.role.frozen_modules:
            self.model.get_submodule(name).requires_grad_(False)
        lora = self.config.sft.lora
        if not lora.rank:
            return None
        return add_adapters(self.model, lora, self.config.seed + self.role.random_stream)

    def checkpoint(self) -> LoadedCheckpoint:
        """The model as it is now, in evaluation mode on this rank's device, without a detour over
        the disk.
        """
        model = self.model.to(self.distributed.device).eval()
        return self.artifacts.as_checkpoint(model, self.role, self.distributed.device)

    def known_items(self, user_ids: pa.Array) -> KnownItems:
        """For some users the items of the export, except one withheld for calibration."""
        return KnownItems(self.examples(GENERATOR.export_table, None), self.catalogue, user_ids)
