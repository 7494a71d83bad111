"""`evaluate-index` on files and a lake: tables for a person, JSON for a program."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from llm_i2i_spark.cli.main import main

pytestmark = pytest.mark.spark

# Users go a -> b -> c or d, two of them with a and b on one day.
CLICKS = [
    (f"u{user}", item, f"2024-01-0{day}")
    for user in range(9)
    for item, day in zip(
        ("a", "b", "c" if user % 3 else "d"), (1, 1, 3) if user < 2 else (1, 2, 3), strict=True
    )
]
OURS = [("a", 1, "b", 1.0), ("b", 1, "c", 0.5), ("b", 2, "d", 0.25)]
THEIRS = [("a", 1, "d", 1.0), ("b", 1, "d", 0.5)]


@pytest.fixture(scope="module")
def shop(spark: object, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("shop")
    log = pd.DataFrame(CLICKS, columns=["user_id", "item_id", "ts"])
    log.to_csv(folder / "log.csv", index=False)
    paths = {"lake": str(folder / "lake")}
    for name, rows in (("ours", OURS), ("theirs", THEIRS)):
        frame = pd.DataFrame(rows, columns=["item_id", "rank", "neighbor_id", "score"])
        paths[name] = str(folder / f"{name}.parquet")
        frame.to_parquet(paths[name])
    settings = [f"lake.root={paths['lake']}", f"ingest.interactions={folder / 'log.csv'}"]
    settings += ["split.holdout=last_1"]
    options = [part for setting in settings for part in ("--set", setting)]
    assert main(["run", "--variants", "real", "--to", "ingest", *options]) == 0
    return paths


def options(shop: dict[str, str]) -> list[str]:
    settings = [f"lake.root={shop['lake']}", "split.holdout=last_1", "evaluate.ks=[1]"]
    return [part for setting in settings for part in ("--set", setting)]


def test_several_files_are_compared_in_the_slices_that_are_asked_for(
    shop: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    files = [shop["ours"], shop["theirs"]]
    asked = ["--slices", "all,history_1_4", "--baseline", "theirs"]
    assert main(["evaluate-index", *files, *asked, *options(shop)]) == 0
    text = capsys.readouterr().out
    assert "users with 1–4 interactions" in text
    assert "long tail" not in text
    assert "9 users, 1 system against theirs, p-values adjusted for their number" in text
    assert main(["evaluate-index", *files, *options(shop), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["systems"]["ours"]["history_1_4"]["recall@1"]["value"] == pytest.approx(2 / 3)
    assert found["systems"]["ours"]["new"].keys() >= {"fill_rate"}
    assert found["users_by_slice"]["history_1_4"] == 9
    assert found["notes"] == []
    compared = found["comparison"]["figures"]["all"]["recall@1"]["theirs"]
    assert compared["gain"] == pytest.approx(-1 / 3)
    assert 0 < compared["adjusted_p_value"] <= 1


def test_ties_are_shuffled_and_seen_items_left_in(
    shop: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    left = ["--set", "evaluate.remove_seen=false"]
    asked = [shop["ours"], "--tie-seeds", "1,2", *options(shop), *left]
    assert main(["evaluate-index", *asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["tied_users"], found["users"], found["index_remade"]) == (2, 9, False)
    assert set(found["shuffled"]["ours"]["all"]["mrr"]["values"]) == {"1", "2"}
    # The clicked items come first.
    assert found["given"]["systems"]["ours"]["all"]["recall@1"]["value"] == 0.0
    assert found["given"]["notes"][0].startswith("Seen items are not removed")
