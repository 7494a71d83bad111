"""The settings that a result was made with, as its run record holds them."""

from __future__ import annotations

from llm_i2i_spark.audit.lineage import Origin
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config


def recorded_settings(origin: Origin, config: Config) -> Config | None:
    """A configuration with the options that a result depends on as they were then.

    Results that were made with other settings stand side by side in one lake, so that no single
    configuration fits them all.

    Args:
        origin: the result.
        config: the options that its record does not name.

    Returns:
        None where the record names none, as in version 0.1, or one that this version of the package
        does not know.
    """
    if origin.record is None or not origin.record.settings:
        return None
    try:
        return load_config(base=config, overrides=origin.record.settings)
    except UserError:
        return None
