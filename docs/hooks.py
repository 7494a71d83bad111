"""Pages that are generated from the code: tables, options, backbones, metrics, stores, variants.

A line `<!-- generated: NAME -->` of a page is replaced by what the function NAME returns.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

MARK = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in what is generated; called by MkDocs for every page."""
    return MARK.sub(lambda match: GENERATED[match.group(1)](), markdown)


def tables() -> str:
    """Every table of the lake: what a row is, key, scope, checks, and each column with its unit."""
    from llm_i2i_spark.base.contracts import TABLES

    return "\n\n".join(_table_section(table) for table in TABLES.values())


def options() -> str:
    """Every option by section, with its default and what it is for."""
    from llm_i2i_spark.config.config import Config

    parts = []
    for name, field in Config.model_fields.items():
        value = getattr(Config(), name)
        if isinstance(value, BaseModel):
            intro = " ".join((type(value).__doc__ or "").partition("\n\n")[0].split())
            parts.append(f"## {name}\n\n{intro}\n\n{_option_table(value, name + '.')}")
        else:
            parts.append(_rows(("option", "default", "what it is"), [_option(name, field, value)]))
    return "\n\n".join(parts)


def columns() -> str:
    """The columns that ingest reads, with their usual names."""
    from llm_i2i_spark.ingest.columns import COLUMNS, MEANINGS, REQUIRED, USUAL_NAMES

    rows = []
    for table, names in COLUMNS.items():
        for name in names:
            if (table, name) == ("items", "item_id"):
                continue
            needed = name in REQUIRED["interactions"]
            meaning = MEANINGS[name] + ("" if needed else "; optional")
            rows.append((f"`{name}`", meaning, USUAL_NAMES[name]))
    return _rows(("column", "what it holds", "usual names"), rows)


def backbones() -> str:
    """Every backbone with what it needs of the interactions."""
    from llm_i2i_spark.backbones import BACKBONES

    rows = []
    for backbone in BACKBONES:
        rows.append(
            (
                f"`{backbone.name}`",
                f"`{backbone.__name__}`",
                _yes(backbone.needs_order),
                _yes(backbone.is_symmetric),
                _yes(backbone.is_incremental),
            )
        )
    head = ("name", "class", "needs the order of clicks", "symmetric", "incremental")
    return _rows(head, rows)


def backbone_parameters() -> str:
    """Every parameter of every backbone with its default."""
    from llm_i2i_spark.backbones import BACKBONES

    rows: list[tuple[str, ...]] = []
    for backbone in BACKBONES:
        rows += [
            (f"`{backbone.__name__}`", *_option(name, field, field.default))
            for name, field in backbone.model_fields.items()
            if name not in SHARED_PARAMETERS
        ]
    shared = BACKBONES[0].model_fields
    rows += [
        ("all", *_option(name, shared[name], shared[name].default)) for name in SHARED_PARAMETERS
    ]
    return _rows(("backbone", "parameter", "default", "what it is"), rows)


def search_spaces() -> str:
    """What a search varies of each backbone by default."""
    from llm_i2i_spark.backbones.search_space import FUSION, INDEX, PARAMETERS, Choice

    def row(whose: str, key: str, domain: Any) -> tuple[str, ...]:
        if isinstance(domain, Choice):
            return whose, f"`{key}`", f"one of {', '.join(f'`{one}`' for one in domain.values)}"
        scale = "logarithmic" if domain.log else ""
        return whose, f"`{key}`", f"{domain.low:g} to {domain.high:g}", scale

    rows = [
        row(f"`{backbone.name}`", f"i2i.{backbone.name}.{name}", domain)
        for backbone, space in PARAMETERS.items()
        for name, domain in space.items()
    ]
    rows += [row("every backbone", key, domain) for key, domain in INDEX.items()]
    mended = "variants with synthetic interactions by confidence"
    rows += [row(mended, key, one) for space in FUSION.values() for key, one in space.items()]
    head = ("searched for", "option", "values", "scale")
    return _rows(head, [(*one, "") if len(one) < len(head) else one for one in rows])


def metrics() -> str:
    """Every metric with what its value means."""
    from llm_i2i_spark.metrics import METRICS, RankingMetric

    rows = [
        (
            f"`{metric.__name__}{'(k)' if metric.takes_k else '()'}`",
            f"`{metric.name}`",
            "ranking" if issubclass(metric, RankingMetric) else "beyond accuracy",
            metric.explanation,
        )
        for metric in METRICS
    ]
    return _rows(("metric", "in the table", "kind", "what the value means"), rows)


def variants() -> str:
    """Every variant: which interactions it is made of, and which options it changes."""
    from llm_i2i_spark.base.variants import VARIANTS

    rows = [
        (
            f"`{variant.name}`",
            variant.title,
            variant.fusion.real,
            variant.fusion.synthetic,
            ", ".join(f"`{key}={value}`" for key, value in variant.settings.items()) or "none",
        )
        for variant in VARIANTS
    ]
    head = ("variant", "in reports", "real interactions", "synthetic interactions", "options")
    return _rows(head, rows)


def stores() -> str:
    """Every store that an index can be published to, with the form of its address."""
    from llm_i2i_spark.serving.publish import EXPORTERS

    rows = [(f"`{one.form}`", _first_line(one)) for one in EXPORTERS]
    return _rows(("target", "what is written"), rows)


def renamed_options() -> str:
    """Options that have another name than in version 0.1."""
    from llm_i2i_spark.config.aliases import RENAMED, RENAMED_VALUES

    rows = [(f"`{old}`", f"`{new}`") for old, new in RENAMED.items()]
    for key, values in RENAMED_VALUES.items():
        rows += [(f"`{key}={old}`", f"`{key}={new}`") for old, new in values.items()]
    return _rows(("0.1", "now"), rows)


def _of_script(name: str) -> dict[str, Callable[[], str]]:
    """The parts that a script beside this one generates, by the names of their marks."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # for its named tuples
    spec.loader.exec_module(module)
    found: dict[str, Callable[[], str]] = module.GENERATED
    return found


GENERATED: dict[str, Callable[[], str]] = {
    function.__name__: function
    for function in (
        tables,
        options,
        columns,
        backbones,
        backbone_parameters,
        search_spaces,
        metrics,
        variants,
        stores,
        renamed_options,
    )
} | _of_script("cost_at_scale")
SHARED_PARAMETERS = ("max_users_per_item", "max_items_per_user", "top_k")


def _table_section(table: Any) -> str:
    lines = [f"## {table.name}", "", f"A row is {table.description}. Written by stage"]
    lines[-1] += f" `{table.stage}`; key {_names(table.key)}"
    if table.scope:
        lines[-1] += f"; results stand side by side by {_names(table.scope)}"
    lines[-1] += "; rows are only added." if table.append else "."
    if table.checks:
        checks = ", ".join(f"`{condition}`" for condition in table.checks.values())
        lines += ["", f"Checked by the engine at every write: {checks}."]
    rows = [
        (f"`{one.name}`", f"`{one.type}`", "yes" if one.nullable else "", one.description)
        for one in table.columns
    ]
    return "\n".join([*lines, "", _rows(("column", "type", "may be null", "what it holds"), rows)])


def _option_table(section: BaseModel, prefix: str) -> str:
    return _rows(("option", "default", "what it is"), list(_options_of(section, prefix)))


def _options_of(section: BaseModel, prefix: str) -> Iterator[tuple[str, ...]]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _options_of(value, f"{prefix}{name}.")
        else:
            yield _option(prefix + (field.alias or name), field, value)


def _option(key: str, field: Any, value: Any) -> tuple[str, ...]:
    runtime = field.json_schema_extra == {"changes_result": False}
    shown = "" if value is None else f"`{value}`"
    text = field.description or ""
    note = "changes no result" if runtime else ""
    return f"`{key}`", shown, "; ".join(part for part in (text, note) if part)


def _rows(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _first_line(thing: Any) -> str:
    return " ".join((thing.__doc__ or "").strip().partition("\n\n")[0].split())
