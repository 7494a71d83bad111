"""A role: one task that a language model is fine-tuned for, described as data.

Files of roles load no torch at their top, so that the Spark stages can read what a role needs; what
trains imports it inside its functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from llm_i2i_spark.base.sections.sft import SftConfig
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.prompts.templates import Template

if TYPE_CHECKING:
    from llm_i2i_spark.sft.calibrate import FittedCalibration
    from llm_i2i_spark.sft.role_training import RoleTraining
    from llm_i2i_spark.sft.training import Objective


class Hyperparameters(NamedTuple):
    """The numbers of a training in which roles differ.

    Attributes:
        epochs: passes over the examples.
        learning_rate: highest one of the schedule.
        batch_size: examples a step, over all ranks and accumulation steps.
        item_rate_factor: learning rate of the item embeddings, as a multiple of the others'.
        least_steps: of the optimizer; batches are smaller where there would be fewer.
    """

    epochs: int
    learning_rate: float
    batch_size: int
    item_rate_factor: float = 1.0
    least_steps: int = 0


def default_hyperparameters(config: SftConfig) -> Hyperparameters:
    """The numbers of section `sft` itself."""
    return Hyperparameters(
        config.epochs, config.learning_rate, config.batch_size, least_steps=config.least_steps
    )


def latest_items(config: Config) -> int:
    """The usual limit of a prompt: the `export.history_length` latest items of a history."""
    return config.export.history_length


@dataclass(frozen=True)
class Role:
    """What a model of this role reads, learns and starts from.

    Attributes:
        name: in manifests, names of checkpoint folders and column `role` of table `checkpoints`.
        random_stream: number that separates its random numbers from those of other roles; unique,
            and never changed, since trained weights depend on it.
        export_table: table of its training examples.
        template: wording of its prompts in layout `instruct`.
        objective: makes what is minimised, from the examples; it may also prepare the model.
        starts_from: name of the role whose trained weights it starts from; None: the base model.
        frozen_modules: names of the modules of the model that it does not train.
        max_items: from the configuration, the number of latest items that its prompts show.
        hyperparameters: from section `sft`.
        calibrate: fits what turns scores into probabilities, once the model is trained; None: the
            role needs none.
    """

    name: str
    random_stream: int
    export_table: str
    template: Template
    objective: Callable[[RoleTraining], Objective]
    starts_from: str | None = None
    frozen_modules: tuple[str, ...] = ()
    max_items: Callable[[Config], int] = latest_items
    hyperparameters: Callable[[SftConfig], Hyperparameters] = default_hyperparameters
    calibrate: Callable[[RoleTraining], FittedCalibration | None] | None = None
