"""The tables and pictures of the page "The tables of the paper", from what was printed by
`llm-i2i reproduce --json` and `llm-i2i sweep --json`:

    python docs/reproduction_tables.py                 the page and its pictures again
    python docs/reproduction_tables.py NAME FILE ...   keep what was printed for a data set first

Seeds of a table that were printed one by one come together; what is printed again replaces itself.

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
from llm_i2i_spark.evaluate.slices import SLICE_TITLES
from llm_i2i_spark.experiments.plots import PlottedPoint, plot_series
from llm_i2i_spark.experiments.reproduction.figures import Interval
from llm_i2i_spark.experiments.reproduction.page import plot_table
from llm_i2i_spark.experiments.reproduction.rows import TableRow, rows_of
from llm_i2i_spark.experiments.reproduction.table import SHORT, ReproducedTable, make_table
from llm_i2i_spark.experiments.sweeps.presets import find_preset
from llm_i2i_spark.experiments.sweeps.result import SWEPT_SLICES

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "reproduction.md"
RECORDED = DOCS / "recorded" / "reproduction"
FIGURES = DOCS / "figures"
STYLE = Path(__file__).parents[1] / "llm_i2i_spark" / "base" / "templates" / "style.css.j2"
NAMES = ("variant", "backbone", "slice", "mode", "metric")
KEPT = (*NAMES, "kept_no_synthetic_row", "by_seed")
"""Of a row of a table."""
KEPT_OF_SWEEP = ("name", "metric", "variant", "backbone", "target", "users", "baseline")
KEPT_OF_POINT = ("series", "value", "synthetic_share", "figures")
LEGEND_HEIGHT, LETTER_WIDTH = 20, 6.2
"""In points; the width is that of an average letter."""
LEGEND_STYLE = "font-size: 10px; font-family: 'DejaVu Sans', Verdana, sans-serif; fill: var(--ink)"
MADE = re.compile(r"(<!-- made: (table|sweep) (\w+) (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

Recorded = Mapping[str, Any]
"""What is kept of what was printed for a data set: `tables`, `sweeps`, and the `costs` of both."""


def main(arguments: Sequence[str]) -> int:
    """Keep results, where some are named, and write the page and its pictures."""
    if arguments:
        name, *files = arguments
        for file in files:
            keep(name, Path(file))
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    for path, picture in pictures().items():
        path.write_text(picture, encoding="utf-8")
    return 0


def keep(name: str, file: Path) -> None:
    """Keep of a result what the page is made from, a line a figure; no paths of the machine."""
    result = json.loads(file.read_text(encoding="utf-8"))
    before = recorded(name)
    tables = {table["table"]: table for table in before["tables"]}
    for table in result.get("tables", ()):
        table["rows"] = [{key: row[key] for key in KEPT} for row in table["rows"]]
        del table["paragraph"]
        tables[table["table"]] = _with_seeds_of(table, tables.get(table["table"]))
    sweeps = {sweep["name"]: sweep for sweep in before["sweeps"]}
    for sweep in result.get("figures", ()) if "tables" in result else (result,):
        kept = {key: sweep[key] for key in KEPT_OF_SWEEP}
        points = [{key: point[key] for key in KEPT_OF_POINT} for point in sweep["points"]]
        sweeps[sweep["name"]] = kept | {"points": points}
    costs = {**before["costs"], **_costs(result)}
    lists = {"tables": list(tables.values()), "sweeps": list(sweeps.values())}
    text = json.dumps(_rounded({"costs": costs, **lists}), ensure_ascii=False)
    text = re.sub(r'\{"(variant": "\w+", "backbone": "\w+", "slice|series)"', r"\n\g<0>", text)
    RECORDED.mkdir(parents=True, exist_ok=True)
    (RECORDED / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def filled(page: str) -> str:
    """A page with its tables as they were recorded."""

    def lines(match: re.Match[str]) -> str:
        before, kind, which, name, end = match.groups()
        made = table_lines if kind == "table" else sweep_lines
        return "\n".join([before, *made(recorded(name), which), "", end])

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
        for sweep in recorded(path.stem)["sweeps"]:
            for part in (part for part in SWEPT_SLICES if _has(sweep, part)):
                name = f"sweep_{path.stem}_{sweep['name']}_{part}.svg"
                found[FIGURES / name] = standalone(with_legend(*_plot(sweep, part)))
    return found


def recorded(name: str) -> Recorded:
    """What is kept of a data set; empty where nothing is."""
    path = RECORDED / f"{name}.json"
    if not path.exists():
        return {"costs": {}, "tables": [], "sweeps": []}
    result: Recorded = json.loads(path.read_text(encoding="utf-8"))
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


def table_lines(result: Recorded, number: str) -> list[str]:
    """A table in Markdown, and what holds of it by rule."""
    table = table_of(next(one for one in result["tables"] if one["table"] == int(number)))
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
            ours += [_value(figure.value) + _spread(figure.range), _gain(figure.gain)]
            ours[-1] += _around(figure.gain_interval, _share)
            printed += [_value(figure.published), _gain(figure.published_gain)]
        lines.append(_line([row.title, *ours, *printed]))
    return [*lines, "", f"{table.caption}. {table.paragraph()} {table.parts()}".strip()]


def sweep_lines(result: Recorded, name: str) -> list[str]:
    """A sweep in Markdown."""
    sweep = next(one for one in result["sweeps"] if one["name"] == name)
    label = sweep["metric"].replace("recall", "R").replace("ndcg", "N")
    header = ["", find_preset(name).axis, label, "gain", f"{label}, long tail", "synthetic share"]
    first = int(not any(point["series"] for point in sweep["points"]))
    lines = [_line(header[first:]), "|---" * len(header[first:]) + "|"]
    for point in sweep["points"]:
        whole, *values = point["figures"]["all"], *map(_figure, point["figures"].values())
        gain = _gain(whole.get("relative_gain"))
        gain += _around(whole.get("relative_gain_interval"), _share)
        share = "" if point["synthetic_share"] is None else f"{point['synthetic_share']:.0%}"
        cells = [point["series"], point["value"], values[0], gain, values[1]]
        lines.append(_line([*cells, share.replace("%", " %")][first:]))
    fold = {"valid": "validation fold", "test": "test fold"}[sweep["target"]]
    return [*lines, "", f"{sweep['backbone'].title()}, {sweep['users']:,} users, {fold}."]


def standalone(picture: str) -> str:
    """A picture of a report in colours of its own, where the report has names for them."""
    colors = dict(
        re.findall(r"(--[\w-]+): (#\w+)", STYLE.read_text(encoding="utf-8").split("}")[0])
    )
    colored = re.sub(r"var\((--[\w-]+)\)", lambda match: colors[match[1]], picture)
    paper = f'<svg style="background: {colors["--paper"]}" '
    lines = colored.strip().replace("<svg ", paper, 1).splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def with_legend(picture: str, names: Sequence[str]) -> str:
    """A picture with the names of its lines above it, where there are several."""
    size = re.search(r'height="[\d.]+pt" viewBox="0 0 ([\d.]+) ([\d.]+)"', picture)
    if size is None or len(names) < 2:
        return picture
    height = float(size[2]) + LEGEND_HEIGHT
    grown = f'height="{height:g}pt" viewBox="0 {-LEGEND_HEIGHT} {size[1]} {height:g}"'
    x, marks = 40.0, ""
    for number, name in enumerate(names, start=1):
        marks += f'<circle cx="{x}" cy="-8" r="4" style="fill: var(--system-{number})"/>'
        marks += f'<text x="{x + 10}" y="-4.5" style="{LEGEND_STYLE}">{name}</text>'
        x += 30 + LETTER_WIDTH * len(name)
    return picture.replace(size[0], grown, 1).replace("</svg>", f"{marks}</svg>")


def _plot(sweep: Mapping[str, Any], part: str) -> tuple[str, Sequence[str]]:
    """The picture of a sweep, and the names of its lines."""
    lines: dict[str, list[PlottedPoint]] = {}
    for point in sweep["points"]:
        one = PlottedPoint(point["value"], point["figures"][part])
        lines.setdefault(point["series"], []).append(one)
    axis = find_preset(sweep["name"]).axis
    title = f"{sweep['metric']} of {SLICE_TITLES[part]} over {axis}"
    return plot_series(lines, axis, title, False, sweep["baseline"][part]), list(lines)


def _has(sweep: Mapping[str, Any], part: str) -> bool:
    """Whether any user holds out an item of a slice."""
    return any(point["figures"][part] for point in sweep["points"])


def _with_seeds_of(table: dict[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    """A table with the figures that an earlier one has of other seeds."""
    if before is None:
        return table
    seeds = sorted({*before["seeds"], *table["seeds"]})
    earlier = {tuple(row[name] for name in NAMES): row for row in before["rows"]}
    for row in table["rows"]:
        other = earlier[tuple(row[name] for name in NAMES)]
        found = dict(zip(before["seeds"], other["by_seed"], strict=True))
        found |= dict(zip(table["seeds"], row["by_seed"], strict=True))
        row["by_seed"] = [found[seed] for seed in seeds]
        row["kept_no_synthetic_row"] &= other["kept_no_synthetic_row"]
    return table | {"seeds": seeds}


def _costs(result: Recorded) -> dict[str, Any]:
    """The seconds of a reproduction, by what it was of."""
    numbers = ", ".join(str(table["table"]) for table in result.get("tables", ()))
    seeds = sorted({seed for table in result.get("tables", ()) for seed in table["seeds"]})
    shown = sorted({figure["figure"] for figure in result.get("figures", ())})
    words = [f"tables {numbers}, seeds {', '.join(map(str, seeds))}"] if numbers else []
    words += [f"figure {number}" for number in shown]
    return {"; ".join(words): cost for cost in result.get("costs", {}).values()}


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


def _figure(figure: Figure | None) -> str:
    if figure is None:
        return ""
    return _value(figure["value"]) + _around(figure.get("interval"), _value)


def _gain(value: float | None) -> str:
    return "" if value is None else f"{_share(value)} %"


def _spread(ends: Interval | None) -> str:
    """The least and the greatest value over seeds, where a reader could tell them apart."""
    return _around(ends, _value) if len(set(map(_value, ends or ()))) > 1 else ""


def _around(bounds: Interval | Sequence[float] | None, words: Any) -> str:
    return "" if bounds is None else f" ({words(bounds[0])} to {words(bounds[1])})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
