"""What is typed after `--set key=`: read by the type of the option."""

from __future__ import annotations

from typing import Any

import pytest

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config


def option(config: Config, key: str) -> Any:
    """The value of a dotted key."""
    found: Any = config
    for part in key.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize(
    "text",
    [
        "1970-01-01",
        "my clicks #2.csv",
        "@user",
        "on",
        "196",
        "007",
        "1_000",
        "1e3",
        "0x10",
        "12:30",
        "~",
        "a: b",
        "[a, b].csv",
        "{x}.csv",
        "*.csv",
        "&a",
        "!x",
        "%y",
        "`z`",
        "- x",
        "it's",
        "'a' and 'b'",
        '"a": "b"',
        " with blanks ",
        "naïve café/東京.csv",
        "a=b",
    ],
)
@pytest.mark.parametrize("key", ["ingest.min_ts", "ingest.interactions"])
def test_text_is_taken_as_it_stands(key: str, text: str) -> None:
    assert option(load_config([], [f"{key}={text}"]), key) == text


@pytest.mark.parametrize("text", ["@user", "on", "196", "none", "null", "a: b", ""])
def test_a_value_of_a_dictionary_of_text_is_text_under_one_key(text: str) -> None:
    settings = [f"ingest.columns.user_id={text}", f"spark.conf.spark.sql.x={text}"]
    config = load_config([], settings)
    assert config.ingest.columns == {"user_id": text}
    assert config.spark.conf == {"spark.sql.x": text}


def test_a_dictionary_can_also_be_given_whole_and_added_to() -> None:
    settings = ["ingest.columns={user_id: 007, ts: on}", "ingest.columns.item_id=asin"]
    columns = load_config([], settings).ingest.columns
    assert columns == {"user_id": "007", "ts": "on", "item_id": "asin"}


@pytest.mark.parametrize("text", ["none", "null", "None", "NULL", ""])
@pytest.mark.parametrize("key", ["ingest.items", "sft.base_model", "i2i.max_users_per_item"])
def test_an_optional_option_can_be_emptied(key: str, text: str) -> None:
    base = load_config([], ["ingest.items=a", "sft.base_model=b", "i2i.max_users_per_item=9"])
    assert option(load_config([], [f"{key}={text}"], base=base), key) is None


@pytest.mark.parametrize(
    ("text", "value"), [("'none'", "none"), ('"null"', "null"), ("'it''s'", "it's")]
)
def test_quotes_around_all_of_a_text_are_not_part_of_it(text: str, value: str) -> None:
    assert load_config([], [f"ingest.items={text}"]).ingest.items == value


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("seed=1_000", 1000),
        ("seed=010", 10),
        ("seed= 7 ", 7),
        ("sft.learning_rate=1e-3", 1e-3),
        ("sft.alpha=.5", 0.5),
        ("spark.short_jobs=on", True),
        ("spark.short_jobs=False", False),
        ("split.holdout=none", "none"),
        ("split.holdout= last_1", "last_1"),
        ("i2i.swing.convention=flink", "flink"),
        ("i2i.swing.convention=none", None),
        ("evaluate.ks=[1, 10]", (1, 10)),
    ],
)
def test_numbers_choices_and_lists_are_read_by_their_type(setting: str, value: object) -> None:
    assert option(load_config([], [setting]), setting.partition("=")[0]) == value


def test_a_renamed_option_is_read_by_the_type_of_the_new_one() -> None:
    assert load_config([], ["fuse.scale=0.1"]).fuse.soft_weight_scale == 0.1


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("seed=99999999999999999999", "seed: Input should be less than 4294967296"),
        ("seed=1.5", "seed: Input should be a valid integer"),
        ("sft.alpha=nan", "sft.alpha: Input should be a finite number"),
        ("sft.alpha=-inf", "sft.alpha: Input should be a finite number"),
        ("split.held_back_items=2", "items: Input should be less than 0.5 or 'auto' .got '2'"),
        ("fuse.soft_weight_scale=x", "scale: Input should be a valid number or 'auto' .got 'x'"),
        ("sft.alpha=much", r"sft.alpha: Input should be a valid number \(got 'much'\)"),
        ("sft.epochs=true", "sft.epochs: Input should be a valid integer"),
        ("spark.short_jobs=perhaps", "spark.short_jobs: Input should be a valid boolean"),
        ("evaluate.ks=[1, 2", "no YAML list or mapping"),
        ("evaluate.ks=" + "[" * 5_000, "nested too deeply"),
        ("ingest.columns={ts: a, ts: b}", "ts stands twice"),
        ("ingest.format.itemz=csv", "did you mean ingest.format.items"),
        ("ingest.intractions=x", "did you mean ingest.interactions"),
        ("ingest.items.x=y", "ingest.items"),
        ("=x", "--set wants key=value"),
    ],
)
def test_a_wrong_value_is_one_sentence(setting: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        load_config([], [setting])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
