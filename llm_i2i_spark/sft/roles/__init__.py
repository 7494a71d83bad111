"""The roles that models are fine-tuned for, in the order in which they are trained."""

from __future__ import annotations

from llm_i2i_spark.sft.roles.base import Role
from llm_i2i_spark.sft.roles.discriminator import DISCRIMINATOR
from llm_i2i_spark.sft.roles.generator import GENERATOR

ROLES: tuple[Role, ...] = (GENERATOR, DISCRIMINATOR)
