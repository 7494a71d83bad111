"""What docs/forms.md says to type reads every form that it lists, as it was written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.ingest.readers import read_source
from tests.ingest.formats.samples import SAMPLES

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "forms.md").read_text()
TABLE = PAGE.split("| form | file | what to type |\n|---|---|---|\n")[1].split("\n\n")[0]
LINES = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in TABLE.splitlines()]


def test_the_page_lists_the_forms_that_are_tried():
    assert [line[0] for line in LINES] == list(SAMPLES)


@pytest.mark.spark
@pytest.mark.parametrize(("form", "file", "typed"), LINES, ids=[line[0] for line in LINES])
def test_what_the_page_says_to_type_reads_it(spark, tmp_path: Path, form, file, typed):
    write, wanted = SAMPLES[form]
    path = tmp_path / file.strip("`")
    write(path, spark)
    source = path.name if form == "table of the catalog" else path
    options = re.findall(r"--set ([^`]+)", typed)
    assert bool(options) != (typed == "nothing")
    config = load_config([], [f"ingest.interactions={source}", *options]).ingest
    found = read_source(spark, config, "interactions")
    names = {"timestamp": "ts"}
    third = next(
        names.get(name, name) for name in ("ts", "timestamp", "pos") if name in found.frame.columns
    )
    assert third in ("ts", "pos")
    raw = [found.columns[name][0] for name in ("user_id", "item_id")]
    column = "timestamp" if "timestamp" in found.frame.columns else third
    rows = found.frame.select(
        *(found.frame[f"`{name}`"].cast("string") for name in [*raw, column]), "_malformed"
    )
    assert sorted(tuple(row) for row in rows.collect()) == sorted((*row, None) for row in wanted)
