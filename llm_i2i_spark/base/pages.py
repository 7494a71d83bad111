"""HTML pages of one file: styles, plots and scripts inside, nothing fetched from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any


def render_page(
    package: str,
    template: str,
    values: Mapping[str, Any],
    filters: Mapping[str, Callable[..., Any]] = MappingProxyType({}),
) -> str:
    """A page from a template; style, sorting of tables and their macro are those of every page.

    Args:
        package: whose folder `templates` has it.
        template: name of its file.
        values: what it shows, by name.
        filters: of the template, by name.

    Raises:
        ImportError: Jinja is not installed.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    loaders = [PackageLoader(name) for name in (package, "llm_i2i_spark.base")]
    environment = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    return environment.get_template(template).render(**values)
