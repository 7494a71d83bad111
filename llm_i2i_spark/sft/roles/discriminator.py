"""The discriminator: says how credible it is that a user takes an item next."""

from __future__ import annotations

from functools import partial
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
"""About so many at most, drawn by the seed: a line through their proposals has no use for more."""
ITEM_RATE_FACTOR = 0.3
"""Its few epochs should adapt the generator's item embeddings, not overwrite them."""


def _objective(training: RoleTraining) -> Objective:
    from llm_i2i_spark.sft.examples import labelled_candidates
    from llm_i2i_spark.sft.hard_negatives import with_hard_negatives
    from llm_i2i_spark.sft.objectives.yes_no import YesNoObjective, centre_on

    # Of each history one candidate was observed.
    groups = labelled_candidates(training.training_rows("label", True), training.catalogue)
    export = training.config.export
    if export.negatives == "generator":
        known = training.known_items(groups.user_ids)
        groups = with_hard_negatives(
            groups,
            training.trained(GENERATOR.name),
            known,
            known.new_items(),
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
    from llm_i2i_spark.sft.user_sample import rows_of_some_users

    read, seed = partial(training.examples, GENERATOR.export_table), training.config.seed
    rows = rows_of_some_users(read, CALIBRATION_USERS, "split", "calibration", seed)
    withheld = generator_rows(rows, "calibration", training.catalogue)
    fitted = calibrate(
        withheld,
        training.trained(GENERATOR.name),
        training.checkpoint(),
        training.known_items(withheld.user_ids),
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
