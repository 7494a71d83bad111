"""What fine-tuning reads beside the lake: the base model, the text encoder, the DeepSpeed file."""

from __future__ import annotations

from llm_i2i_spark.base.external_input import ExternalInput
from llm_i2i_spark.base.model_files import find_model_files
from llm_i2i_spark.base.stage import OpenSession
from llm_i2i_spark.config.config import Config


def find_model_inputs(
    config: Config, session: OpenSession | None = None
) -> dict[str, ExternalInput]:
    """The present state of the folders and files that fine-tuning reads, by the option that names
    them; `find_model_files` has what counts.

    Args:
        config: names them.
        session: not used.
    """
    return find_model_files(
        {
            "sft.base_model": config.sft.base_model,
            "sft.text_encoder": config.sft.text_encoder,
            "sft.deepspeed": config.sft.deepspeed,
        }
    )
