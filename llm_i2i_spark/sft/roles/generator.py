"""The generator: proposes a user's next items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_i2i_spark.config.config import Config
from llm_i2i_spark.prompts import templates
from llm_i2i_spark.sft.roles.base import Role, latest_items

if TYPE_CHECKING:
    from llm_i2i_spark.sft.role_training import RoleTraining
    from llm_i2i_spark.sft.training import Objective


def _objective(training: RoleTraining) -> Objective:
    from llm_i2i_spark.sft.examples import generator_rows
    from llm_i2i_spark.sft.objectives.next_item import NextItemObjective
    from llm_i2i_spark.sft.objectives.next_item_trees import NextItemTreesObjective

    rows = generator_rows(training.training_rows("split", "train"), "train", training.catalogue)
    in_one_pass = training.config.export.layout == "dialogue"
    return (NextItemTreesObjective if in_one_pass else NextItemObjective)(
        rows,
        training.encoder,
        training.artifacts.has_text,
        training.config.sft.sampled_negatives,
        training.distributed.device,
    )


def _max_items(config: Config) -> int:
    """In layout `sequence` the model is trained on whole sequences and reads as much."""
    return config.export.sequence_length if config.layout == "sequence" else latest_items(config)


GENERATOR = Role(
    name="generator",
    random_stream=0,
    export_table="sft_generator",
    template=templates.GENERATOR,
    objective=_objective,
    frozen_modules=("label_head",),
    max_items=_max_items,
)
