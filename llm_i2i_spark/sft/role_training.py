"""Training of one role on one rank: the model, and what its objective and calibration use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.encoding import Encoder
from llm_i2i_spark.lm.lora import add_adapters
from llm_i2i_spark.lm.model import ItemLanguageModel
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.sft.artifacts import ModelArtifacts
from llm_i2i_spark.sft.distributed import Distributed
from llm_i2i_spark.sft.engine import TrainingPlan
from llm_i2i_spark.sft.examples import known_items
from llm_i2i_spark.sft.roles.base import Role
from llm_i2i_spark.sft.roles.generator import GENERATOR
from llm_i2i_spark.sft.training import train
from llm_i2i_spark.sft.training_checkpoints import CurvePoint, TrainingCheckpoints
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
        catalogue: text by item id.
        examples: reads the rows of an export table at the version of the run.
        trained: loads the finished checkpoint of an earlier role, by its name.
        distributed: this rank.
        reporter: of progress.
    """

    role: Role
    config: Config
    artifacts: ModelArtifacts
    model: ItemLanguageModel
    catalogue: Mapping[str, str]
    examples: Callable[[str], pa.Table]
    trained: Callable[[str], LoadedCheckpoint]
    distributed: Distributed
    reporter: Reporter

    @property
    def encoder(self) -> Encoder:
        """Encodes examples for the model."""
        return self.artifacts.encoder(self.model, self.role)

    def train(self, checkpoints: TrainingCheckpoints) -> Trained:
        """Train the model in place, from the newest training checkpoint where there is one; its
        weights are whole afterwards, adapters merged.

        Raises:
            ConfigError: there is nothing to train on, or settings do not fit.
            StageError: the loss or a weight is NaN or infinite.
        """
        adapters = self._prepare_model()
        device = self.distributed.device
        plan = TrainingPlan.of_role(self.role, self.config.sft, self.config.seed, device)
        objective = self.role.objective(self)
        curve = train(self.model, objective, plan, self.distributed, checkpoints, self.reporter)
        if adapters is not None:
            adapters.merge_and_unload()
        return Trained(curve, plan.epochs * int(objective.lengths.sum()))

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

    @cached_property
    def known_items(self) -> dict[str, set[str]]:
        """For every user the items of the export, except one withheld for calibration."""
        return known_items(self.examples(GENERATOR.export_table))

    @cached_property
    def new_items(self) -> set[str]:
        """Items with a text that no user of the export has."""
        clicked = set().union(*self.known_items.values())
        with_text = {one.item_id for one in map(Item._make, self.catalogue.items()) if one.has_text}
        return with_text - clicked
