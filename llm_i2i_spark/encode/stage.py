"""Stage encode: what it reads and what its results depend on; `execute` does the work."""

from __future__ import annotations

from collections.abc import Mapping

from llm_i2i_spark.base.external_input import ExternalInput
from llm_i2i_spark.base.extras import require_packages
from llm_i2i_spark.base.model_files import find_model_files
from llm_i2i_spark.base.stage import OpenSession, Stage
from llm_i2i_spark.config.config import Config


def find_encoder(config: Config, session: OpenSession) -> Mapping[str, ExternalInput]:
    """The present state of the text encoder's folder, where one is named.

    Args:
        config: names it.
        session: not used.
    """
    return find_model_files({"sft.text_encoder": config.sft.text_encoder})


STAGE = Stage(
    name="encode",
    reads=("items",),
    settings=("sft.text_encoder", "sft.text_dims"),
    code=("encode", "lm/text_features", "prompts/render"),
    external_inputs=find_encoder,
    prepare=lambda config, scopes: require_packages("lm"),
)
