"""What a diff of two indexes says: what changed, and which recorded inputs, options, models and
code changed with it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from deltalake import DeltaTable

from llm_i2i_spark.audit.index_diff.causes import compare_upstream
from llm_i2i_spark.audit.index_diff.diff import diff_index
from llm_i2i_spark.audit.index_diff.index_rows import FilesOfVersions, SparkVersions
from llm_i2i_spark.audit.origins import Origin, Origins
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.run_record import RunRecord, ScopeResult
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.project import Project
from tests.audit.commits import LLM_I2I, REAL, SWING, Writer
from tests.audit.example_lake import neighbor

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def project(history):
    return Project(config=history.config)


@pytest.fixture(scope="module")
def diff(project):
    return project.diff(0, 1)


def _system(diff, variant, backbone="swing"):
    return next(one for one in diff.systems if (one.variant, one.backbone) == (variant, backbone))


def test_counts_are_those_of_the_lists(history, diff) -> None:
    """Version 0 held A: E alone; version 1 what Swing finds in both variants."""
    assert [(one.variant, one.backbone) for one in diff.systems] == [
        ("llm_i2i", "swing"),
        ("real", "swing"),
    ]
    lists = {
        row["item_id"]: [entry["item_id"] for entry in row["neighbors"]]
        for row in history.lake.read("item_index", 1, REAL | SWING).collect()
    }
    total = _system(diff, "real").slices[0]
    came = sum(map(len, lists.values())) - ("E" in lists["A"])
    assert (total.name, total.lists_before, total.lists_after) == ("all", 1, len(lists))
    assert (total.changed, total.came, total.went) == (len(lists), came, int("E" not in lists["A"]))
    assert total.moved == int("E" in lists["A"] and lists["A"][0] != "E")
    new = _system(diff, "llm_i2i").slices[0]
    assert (new.lists_before, new.went) == (0, 0)
    assert new.came > 0


def test_an_index_beside_which_another_was_written_is_the_same(diff, project) -> None:
    later = project.diff()
    assert (later.before, later.after) == (1, 2)
    assert _system(later, "real").is_same
    assert _system(later, "llm_i2i").is_same
    assert {one.differs for one in _system(later, "llm_i2i").inputs} == {False}
    assert not _system(later, "real", "bm25").is_same
    assert "real (swing): the same" in "\n".join(later.lines())


def test_spark_and_arrow_find_the_same(history, project) -> None:
    spark = SparkVersions(history.lake, 0, 2)
    found = diff_index(Origins(history.lake), spark, 0, 2, project._columns)
    assert found == project.diff(0, 2)


def test_examples_name_titles_ranks_and_what_came(diff) -> None:
    example = next(one for one in _system(diff, "real").examples if one.item_id == "A")
    assert example.title == "Later A"
    came = [one for one in example.neighbors if one.before is None]
    assert came
    assert str(came[0]).startswith(f"Later {came[0].item_id} ({came[0].item_id}) came at ")
    json.dumps(diff.to_dict())
    assert "<table>" in diff._repr_html_()


def test_the_page_shows_titles_as_text_and_fetches_nothing(diff, tmp_path) -> None:
    system = _system(diff, "real")
    example = replace(system.examples[0], title="<script>alert(1)</script>")
    spoiled = replace(diff, systems=(replace(system, examples=(example,)),))
    spoiled.save(tmp_path / "diff.html")
    page = (tmp_path / "diff.html").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not re.findall(r"<script|(?:src|href)=", page)
    assert f"{system.slices[0].came:,}</b><span>neighbours came" in page


def test_runs_name_the_versions_that_they_wrote(diff, project) -> None:
    assert project.diff("20260101T000000-past", "20260102T000000-used") == diff
    with pytest.raises(UserError, match="No run 20990101T000000-none wrote item_index"):
        project.diff("20990101T000000-none")
    with pytest.raises(UserError, match="no version 9 of item_index, the latest is 2"):
        project.diff(9)
    with pytest.raises(UserError, match="Nothing was written to item_index before version 0"):
        project.diff(after=0)


def test_head_and_long_tail_add_up_and_shared_files_are_not_compared(copied, history) -> None:
    lake, root = copied
    write = Writer(lake, history.config, "20260107T000000-tail")
    stats = [(item, 1, 1, rank, item in "CDE") for rank, item in enumerate("ABCDEF", start=1)]
    write("item_stats", stats, {})
    rows = [("llm_i2i", "swing", item, [neighbor("F", 1.0, 1)]) for item in "ABC"]
    write("item_index", rows, {"item_similarity": 0}, [LLM_I2I | SWING])
    found = Project(root).diff(2, 3)
    every, head, tail = _system(found, "llm_i2i").slices
    assert (head.came, tail.came, every.came) == (2, 1, 3)
    for name in ("lists_before", "lists_after", "changed", "came", "went", "moved", "rescored"):
        assert getattr(head, name) + getattr(tail, name) == getattr(every, name)
    assert _system(found, "real").is_same
    files = FilesOfVersions(str(root / "item_index"), 1, 2)
    assert files.lists(REAL | SWING).before.num_rows == 0
    assert len(files.lists(REAL | SWING).same) > 0


def test_a_version_whose_files_are_gone_is_a_sentence(copied, history) -> None:
    _, root = copied
    old = DeltaTable(str(root / "item_index"), version=0).file_uris()
    Path(old[0]).unlink()
    with pytest.raises(UserError, match="is missing; run stage index again"):
        Project(root).diff(0, 2)


def _origin(record: RunRecord, version: int, digest: str, code: str = "c" * 64) -> Origin:
    made = replace(record, scopes={"variant=real": ScopeResult(digest, {}, code)})
    return Origin("fused", {"variant": "real"}, version, version, "WRITE", None, 10, made)


def test_every_kind_of_cause_is_named(history) -> None:
    record = next(
        one.record for one in DeltaRsLake(history.config.lake).history("fused") if one.record
    )
    before = _origin(record, 0, "a" * 64)
    assert compare_upstream([before], [before])[1] == ()
    changed = replace(
        record,
        external_inputs={"clicks.csv": "d6" * 32},
        settings={**record.settings, "fuse.min_weight": 0.5},
        attributes={"model_digest": "11" * 32},
        code_version="9.9.9",
    )
    inputs, causes = compare_upstream([before], [_origin(changed, 3, "b" * 64, "e" * 64)])
    assert [(one.before, one.after, one.differs) for one in inputs] == [(0, 3, True)]
    assert [one.kind for one in causes] == ["source", "option", "model", "code"]
    words = [str(one) for one in causes]
    assert words[1] == "fuse.min_weight was 0.01 and is 0.5 (stage fuse)"
    assert words[3].startswith("the code of stage fuse has changed: ")
    assert words[3].endswith("→ 9.9.9 (eeeeeeeeeeee)")
    _, left_out = compare_upstream([before], [])
    assert [(one.kind, one.before, one.after) for one in left_out] == [("input", "v0", None)]


def test_options_of_other_backbones_in_the_same_commit_are_no_cause(history) -> None:
    record = next(
        one.record
        for one in DeltaRsLake(history.config.lake).history("item_similarity")
        if one.record
    )
    scope = REAL | SWING

    def made(key: str, digest: str) -> Origin:
        settings = {**record.settings, key: digest}
        results = {"variant=real,backbone=swing": ScopeResult(digest * 64, {}, "c" * 64)}
        other = replace(record, settings=settings, scopes=results)
        return Origin("item_similarity", scope, 0, 0, "WRITE", None, 1, other)

    def causes(key: str) -> list[str]:
        return [str(one) for one in compare_upstream([made(key, "a")], [made(key, "b")])[1]]

    assert causes("i2i.bm25.k1") == []
    assert causes("i2i.swing.a1") == ["i2i.swing.a1 was a and is b (stage i2i)"]


def test_a_diff_of_a_local_lake_needs_no_spark(history) -> None:
    code = (
        "import sys; from llm_i2i_spark.__main__ import main;"
        f" main(['audit', 'diff', '0', '1', '--set', 'lake.root={history.root}']);"
        " print([one for one in ('pyspark', 'numba', 'torch') if one in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("item_index v0 → v1\n")
    assert done.stdout.splitlines()[-1] == "[]"
