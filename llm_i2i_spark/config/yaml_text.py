"""YAML in which a plain value is its own text: `on`, `1970-01-01` and `1_000` are read by the type
of their option, not guessed from their looks.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

_KEPT = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")


class _TextLoader(yaml.SafeLoader):
    """YAML's safe loader without its guesses about plain values, `null` and `~` apart; a key that
    stands twice is an error, not the later value.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag in _KEPT]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """A mapping whose keys are all different."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(
                        problem=f"{key.value} stands twice", problem_mark=key.start_mark
                    )
                seen.add(key.value)
        return node


def read_yaml(text: str) -> Any:
    """The content of a YAML document, simple values as text.

    Raises:
        ValueError: it is not YAML, a mapping has a key twice or holds itself; the message is one
            line.
    """
    try:
        content = yaml.load(text, _TextLoader)
        json.dumps(content, default=str, skipkeys=True)  # refuses what holds itself
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ValueError(f"{where}{error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ValueError(str(error).splitlines()[0]) from None
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None
    return content
