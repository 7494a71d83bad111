"""The tables and pictures of the page "The tables of the paper", from what was printed by
`llm-i2i reproduce --json`:

    python docs/reproduction_tables.py                 the page and its pictures again
    python docs/reproduction_tables.py NAME FILE       keep what was printed for a data set first

What stands between `<!-- made: … -->` and `<!-- end -->` is replaced.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llm_i2i_spark.evaluate.figures import Figure
from llm_i2i_spark.experiments.reproduction.figures import Interval
from llm_i2i_spark.experiments.reproduction.page import plot_table
from llm_i2i_spark.experiments.reproduction.rows import TableRow, rows_of
from llm_i2i_spark.experiments.reproduction.table import SHORT, ReproducedTable, make_table

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "reproduction.md"
RECORDED = DOCS / "recorded" / "reproduction"
FIGURES = DOCS / "figures"
STYLE = Path(__file__).parents[1] / "llm_i2i_spark" / "base" / "templates" / "style.css.j2"
NAMES = ("variant", "backbone", "slice", "mode", "metric")
KEPT = (*NAMES, "kept_no_synthetic_row", "by_seed")
"""Of a row of a table."""
MADE = re.compile(r"(<!-- made: table (\d) (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

Recorded = Mapping[str, Any]
"""What `llm-i2i reproduce --json` printed for one data set."""


def main(arguments: Sequence[str]) -> int:
    """Keep a result, where one is named, and write the page and its pictures."""
    if arguments:
        name, file = arguments
        keep(name, Path(file))
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    for path, picture in pictures().items():
        path.write_text(picture, encoding="utf-8")
    return 0


def keep(name: str, file: Path) -> None:
    """Keep of a result what the page is made from, a line a figure; no paths of the machine."""
    result = json.loads(file.read_text(encoding="utf-8"))
    for table in result["tables"]:
        table["rows"] = [{key: row[key] for key in KEPT} for row in table["rows"]]
    kept = {key: _rounded(result[key]) for key in ("costs", "tables")}
    text = json.dumps(kept, ensure_ascii=False).replace('{"variant"', '\n{"variant"')
    RECORDED.mkdir(parents=True, exist_ok=True)
    (RECORDED / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def filled(page: str) -> str:
    """A page with its tables as they were recorded."""

    def lines(match: re.Match[str]) -> str:
        before, number, name, end = match.groups()
        return "\n".join([before, *table_lines(recorded(name), int(number)), "", end])

    return MADE.sub(lines, page)


def pictures() -> dict[Path, str]:
    """The pictures of everything that is recorded, by the files they belong into."""
    found = {}
    for path in sorted(RECORDED.glob("*.json")):
        for entry in recorded(path.stem)["tables"]:
            picture = plot_table(table_of(entry))
            if picture is not None:
                name = f"reproduction_{path.stem}_table{entry['table']}.svg"
                found[FIGURES / name] = standalone(picture)
    return found


def recorded(name: str) -> Recorded:
    """What is kept of a data set."""
    text = (RECORDED / f"{name}.json").read_text(encoding="utf-8")
    result: Recorded = json.loads(text)
    return result


def table_of(entry: Mapping[str, Any]) -> ReproducedTable:
    """A table as it was before it was printed."""
    rows: dict[tuple[str, ...], Mapping[str, Any]] = {
        tuple(row[name] for name in NAMES): row for row in entry["rows"]
    }

    def found(row: TableRow, metric: str) -> Mapping[str, Any]:
        return rows[row.variant, row.backbone, row.part, row.mode, metric]

    def by_seed(row: TableRow, metric: str) -> tuple[Figure, ...]:
        return tuple(found(row, metric)["by_seed"])

    number, seeds = entry["table"], tuple(entry["seeds"])
    bare = (row for row in rows_of(number) if found(row, SHORT[0])["kept_no_synthetic_row"])
    return make_table(number, entry["data"], seeds, entry["users"], by_seed, tuple(bare))


def table_lines(result: Recorded, number: int) -> list[str]:
    """A table in Markdown, and what holds of it by rule."""
    table = table_of(next(one for one in result["tables"] if one["table"] == number))
    names = [name.replace("recall", "R").replace("ndcg", "N") for name in SHORT]
    header = ["", *(one for name in names for one in (name, "gain"))]
    header += [one for name in names for one in (f"published {name}", "its gain")]
    lines = [_line(header), "|---" * len(header) + "|"]
    for row, figures in table.rows.items():
        if row in table.bare:
            continue
        ours, printed = [], []
        for metric in SHORT:
            figure = figures[metric]
            spread = figure.range if len(table.seeds) > 1 else None
            ours += [_value(figure.value) + _around(spread, _value), _gain(figure.gain)]
            ours[-1] += _around(figure.gain_interval, _share)
            printed += [_value(figure.published), _gain(figure.published_gain)]
        lines.append(_line([row.title, *ours, *printed]))
    return [*lines, "", f"{table.caption}. {table.paragraph()} {table.parts()}".strip()]


def standalone(picture: str) -> str:
    """A picture of a report in colours of its own, where the report has names for them."""
    colors = dict(
        re.findall(r"(--[\w-]+): (#\w+)", STYLE.read_text(encoding="utf-8").split("}")[0])
    )
    colored = re.sub(r"var\((--[\w-]+)\)", lambda match: colors[match[1]], picture)
    paper = f'<svg style="background: {colors["--paper"]}" '
    lines = colored.strip().replace("<svg ", paper, 1).splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _rounded(value: Any) -> Any:
    """Figures to eight digits: more are the processor's."""
    if isinstance(value, float):
        return round(value, 8)
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list) else value


def _line(cells: Sequence[str]) -> str:
    return f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in cells)}|"


def _value(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}".replace("0.", ".", 1)


def _share(value: float) -> str:
    return f"{round(100 * value, 1) + 0.0:+.1f}".replace("-", "−")


def _gain(value: float | None) -> str:
    return "" if value is None else f"{_share(value)} %"


def _around(bounds: Interval | Sequence[float] | None, words: Any) -> str:
    return "" if bounds is None else f" ({words(bounds[0])} to {words(bounds[1])})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
