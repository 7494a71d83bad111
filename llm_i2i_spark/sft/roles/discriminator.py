"""The discriminator: says how credible it is that a user takes an item next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from llm_i2i_spark.base.sections.sft import SftConfig
from llm_i2i_spark.prompts import templates
from llm_i2i_spark.sft.roles.base import Hyperparameters, Role
from llm_i2i_spark.sft.roles.generator import GENERATOR

if TYPE_CHECKING:
    from llm_i2i_spark.sft.calibrate import FittedCalibration
    from llm_i2i_spark.sft.role_training import RoleTraining
    from llm_i2i_spark.sft.training import Objective

CALIBRATION_USERS = 20_000
"""At most, of a long log evenly spaced ones: a line through so many has no use for more."""
ITEM_RATE_FACTOR = 0.3
"""Its few epochs should adapt the generator's item embeddings, not overwrite them."""


def _objective(training: RoleTraining) -> Objective:
    from llm_i2i_spark.sft.examples import labelled_candidates
    from llm_i2i_spark.sft.hard_negatives import with_hard_negatives
    from llm_i2i_spark.sft.objectives.yes_no import YesNoObjective, centre_on

    rows = training.examples(DISCRIMINATOR.export_table)
    groups = training.sampled(labelled_candidates(rows, training.catalogue))
    export = training.config.export
    if export.negatives == "generator":
        groups = with_hard_negatives(
            groups,
            training.trained(GENERATOR.name),
            training.known_items,
            training.known_items.new_items(),
            export.hard_negatives_from,
            export.hard_negatives_share,
            training.config.seed,
            training.distributed,
            training.reporter,
        )
    centre_on(groups, training.checkpoint())
    return YesNoObjective(groups, training.encoder, training.distributed.device)


def _calibrate(training: RoleTraining) -> FittedCalibration | None:
    from llm_i2i_spark.sft.calibrate import calibrate
    from llm_i2i_spark.sft.examples import generator_rows

    examples = training.examples(GENERATOR.export_table)
    withheld = generator_rows(examples, "calibration", training.catalogue)
    fitted = calibrate(
        withheld[:: math.ceil(len(withheld) / CALIBRATION_USERS) or 1],
        training.trained(GENERATOR.name),
        training.checkpoint(),
        training.known_items,
        training.catalogue.texts,
        training.config.generate.per_user,
        training.config.export.history_length,
        training.distributed,
        training.reporter,
    )
    if fitted is None:
        training.reporter.note(
            "no users are withheld for calibration (export.calibration_share), so confidence"
            " will be p_yes as it is"
        )
    elif fitted.reliability is not None:
        found = fitted.reliability
        training.reporter.note(
            f"confidence is calibrated on {found.count:,} proposals for {fitted.users:,} users, of"
            f" which {found.rate:.2%} are right; its expected calibration error is {found.ece:.4f}"
        )
    return fitted


def _hyperparameters(config: SftConfig) -> Hyperparameters:
    own = config.discriminator
    return Hyperparameters(own.epochs, own.learning_rate, own.batch_size, ITEM_RATE_FACTOR)


DISCRIMINATOR = Role(
    name="discriminator",
    random_stream=1,
    export_table="sft_discriminator",
    template=templates.DISCRIMINATOR,
    objective=_objective,
    starts_from=GENERATOR.name,
    hyperparameters=_hyperparameters,
    calibrate=_calibrate,
)
