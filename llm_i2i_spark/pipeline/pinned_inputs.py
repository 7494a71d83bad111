"""What lies outside the lake, as a command found it when it began."""

from __future__ import annotations

from collections.abc import Mapping

from llm_i2i_spark.base.external_input import ExternalInput
from llm_i2i_spark.base.stage import OpenSession, Stage
from llm_i2i_spark.config.config import Config


class PinnedInputs:
    """The state of every external input, looked at once, however often it is asked for.

    Args:
        session: opens a Spark session; called only for inputs that nothing else sees.
    """

    def __init__(self, session: OpenSession) -> None:
        self._session = session
        self._found: dict[tuple[str, str], Mapping[str, ExternalInput]] = {}

    def of(self, stage: Stage, config: Config) -> Mapping[str, ExternalInput]:
        """The inputs of a stage by name.

        Raises:
            UserError: one is not there.
        """
        key = stage.name, config.digest()
        if key not in self._found:
            self._found[key] = stage.external_inputs(config, self._session)
        return self._found[key]
