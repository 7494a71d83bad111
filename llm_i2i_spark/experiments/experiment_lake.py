"""Where searches and sweeps run: a lake of their own under that of the project, which stays as it
is. They share it, so that models which are equal are fine-tuned once.
"""

from __future__ import annotations

from typing import Any

from llm_i2i_spark.base.errors import ConfigError

FOLDER = "experiments"
"""Of the lake, below that of the project."""

VALIDATION = {"split.protocol": "strict", "evaluate.target": "valid"}
"""Settings under which something may be chosen: no model sees the validation fold, and the test
fold is looked at by none.
"""


def experiment_lake(root: str | None) -> dict[str, Any]:
    """The settings that move a project to the lake of its experiments.

    Args:
        root: of the project's lake, a folder or URI.

    Raises:
        ConfigError: the project's lake is a schema alone.
    """
    if root is None:
        raise ConfigError(
            "Experiments keep their results in files: set lake.root to a folder or URI."
        )
    return {"lake.root": f"{root.rstrip('/')}/{FOLDER}", "lake.schema": None}
