"""The configuration: layers, unknown keys, values that do not fit, digests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import known_keys, load_config


def test_later_files_and_settings_go_on_top(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("sft: {alpha: 2, beta: 3}\nseed: 1\n")
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\nsft: {alpha: 5}\n")
    config = load_config([tmp_path / "mine.yaml"], ["seed=7"])
    assert (config.sft.alpha, config.sft.beta, config.seed) == (5, 3, 7)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("sft.alfa=3", "did you mean sft.alpha"),
        ("lake.rot=x", "did you mean lake.root"),
        ("sft.alpha=much", "sft.alpha"),
        ("split.holdout=half", "split.holdout"),
        ("fuse.threshold=2", "fuse.threshold"),
        ("alpha", "key=value"),
        ("split.test_from=2014-05-01", "set holdout=time as well"),
        ("split.test_from=yesterday", "a moment is a day or a time of ISO 8601"),
    ],
)
def test_a_wrong_setting_is_one_sentence(setting: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config([], [setting])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_cuts_of_a_split_in_time_must_fit_together() -> None:
    cuts = ["split.holdout=time", "split.test_from=2014-05-01"]
    assert load_config([], [*cuts, "split.valid_from=2014-04-30"]).split.valid_from == "2014-04-30"
    with pytest.raises(UserError, match="must be before test_from"):
        load_config([], [*cuts, "split.valid_from=2014-05-01T00:00:00Z"])
    with pytest.raises(UserError, match="needs test_from, where the validation fold ends"):
        load_config([], ["split.holdout=time", "split.valid_from=2014-04-30"])


def test_a_missing_file_and_a_broken_one_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no configuration file"):
        load_config([tmp_path / "none.yaml"])
    (tmp_path / "broken.yaml").write_text("sft: [1,")
    with pytest.raises(UserError, match="not valid YAML"):
        load_config([tmp_path / "broken.yaml"])
    (tmp_path / "latin.yaml").write_bytes(b"seed: \xff")
    with pytest.raises(UserError, match="not valid YAML"):
        load_config([tmp_path / "latin.yaml"])
    for base in ("[a.yaml]", "{a: b}"):
        (tmp_path / "several.yaml").write_text(f"extends: {base}")
        with pytest.raises(UserError, match="must name one other file"):
            load_config([tmp_path / "several.yaml"])
    with pytest.raises(UserError, match="it is a folder"):
        load_config([tmp_path])
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(UserError, match="must hold sections"):
        load_config([tmp_path / "list.yaml"])


@pytest.mark.parametrize("way_back", ["a.yaml", "./a.yaml", "sub/../a.yaml", "link.yaml"])
def test_files_that_extend_each_other_in_a_circle_are_a_sentence(
    tmp_path: Path, way_back: str
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.yaml").symlink_to("a.yaml")
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text(f"extends: {way_back}\n")
    with pytest.raises(UserError, match=r"circle \(a\.yaml -> b\.yaml -> (a|link)\.yaml\)"):
        load_config([tmp_path / "a.yaml"])


def test_two_files_may_extend_the_same_one(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("seed: 5\n")
    (tmp_path / "middle.yaml").write_text("extends: base.yaml\n")
    (tmp_path / "mine.yaml").write_text("extends: middle.yaml\n")
    paths = [tmp_path / "mine.yaml", tmp_path / "base.yaml", tmp_path / "middle.yaml"]
    assert load_config(paths).seed == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sft: {alpha: 1}\nseed: 2\nsft: {beta: 1}\n", "line 3: sft stands twice"),
        ("ingest:\n  columns:\n    ts: a\n    ts: b\n", "line 4: ts stands twice"),
        ("seed: " + "[" * 5_000, "nested too deeply"),
        ("sft: &a {discriminator: *a}", "Circular reference"),
        ("lake: {root: !!python/name:os.system }\n", "could not determine a constructor"),
    ],
)
def test_yaml_that_says_two_things_or_none_is_a_sentence(
    tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(UserError, match=words) as caught:
        load_config([tmp_path / "mine.yaml"])
    assert "\n" not in str(caught.value)


def test_a_plain_value_of_a_file_is_read_by_the_type_of_its_option(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "seed: 1_000\n"
        "lake: {root: 196, schema: }\n"
        "ingest:\n"
        "  interactions: on\n"
        "  items: 'null'\n"
        "  min_ts: 1970-01-01\n"
        "  columns: {user_id: 007, item_id: no, ts: 1.50}\n"
        "spark: {short_jobs: yes, shuffle_partitions: ~, conf: {a.b: true, a.c: 0x10}}\n"
        "sft: {learning_rate: 1e-3, base_model: null}\n"
        "evaluate: {ks: [1, 5]}\n"
    )
    config = load_config([tmp_path / "mine.yaml"])
    assert (config.seed, config.lake.root, config.lake.schema_name) == (1000, "196", None)
    ingest = config.ingest
    assert (ingest.interactions, ingest.items, ingest.min_ts) == ("on", "null", "1970-01-01")
    assert ingest.columns == {"user_id": "007", "item_id": "no", "ts": "1.50"}
    assert (config.spark.short_jobs, config.spark.shuffle_partitions) == (True, None)
    assert config.spark.conf == {"a.b": "true", "a.c": "0x10"}
    assert (config.sft.learning_rate, config.sft.base_model) == (1e-3, None)
    assert config.evaluate.ks == (1, 5)


def test_anchors_and_merge_keys_still_work(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "i2i:\n"
        "  bm25: &caps {top_k: 9, max_users_per_item: 8}\n"
        "  item_knn: &fewer {<<: *caps, max_users_per_item: 7}\n"
        "  transitions: {<<: *fewer, window: 2}\n"
    )
    chosen = load_config([tmp_path / "mine.yaml"]).i2i.transitions
    assert (chosen.max_users_per_item, chosen.window) == (7, 2)


def test_a_value_for_both_tables_gives_way_to_one_for_a_table(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("ingest: {format: csv}\n")
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\ningest: {format: {items: json}}\n")
    one_by_one = load_config([], ["ingest.format=csv", "ingest.format.items=json"])
    for config in (one_by_one, load_config([tmp_path / "mine.yaml"])):
        assert (config.ingest.format.interactions, config.ingest.format.items) == ("csv", "json")
    later = load_config([], ["ingest.format=parquet"], base=one_by_one).ingest.format
    assert (later.interactions, later.items) == ("parquet", "parquet")
    given = load_config(base=one_by_one, overrides={"ingest.format.interactions": "delta"})
    assert (given.ingest.format.interactions, given.ingest.format.items) == ("delta", "json")


def test_a_date_or_a_path_from_python_is_text() -> None:
    overrides = {"ingest.min_ts": date(1970, 1, 1), "ingest.items": Path("my items.csv")}
    ingest = load_config(overrides=overrides).ingest
    assert (ingest.min_ts, ingest.items) == ("1970-01-01", "my items.csv")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("ingest.interactions", "a\0b", "NUL"),
        ("ingest.columns", {"user_id": "a\0b"}, "NUL"),
        ("ingest.columns", {"a\0": "b"}, "NUL"),
        ("lake.root", "a\udce9", "not UTF-8"),
        ("sft.alpha", float("nan"), "finite"),
        ("sft.alpha", float("inf"), "finite"),
        ("i2i.swing.a1", float("nan"), "finite"),
        ("seed", -1, "greater than or equal to 0"),
        ("seed", 2**32, "less than 4294967296"),
        ("seed", 10**400, "less than 4294967296"),
    ],
)
def test_what_no_table_or_library_can_hold_is_a_sentence(
    key: str, value: object, words: str
) -> None:
    with pytest.raises(UserError, match=words) as caught:
        load_config(overrides={key: value})
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(key)


def test_choosing_on_the_validation_fold_needs_models_that_have_not_seen_it() -> None:
    with pytest.raises(UserError, match="strict"):
        load_config([], ["evaluate.target=valid", "split.protocol=refit"])
    config = load_config([], ["evaluate.target=valid", "split.protocol=strict"])
    assert config.model_folds == ("train",)
    assert config.query_folds == ("train",)


@pytest.mark.parametrize(
    ("holdout", "protocol", "folds"),
    [
        ("last_2", "refit", ("train", "valid")),
        ("last_2", "strict", ("train",)),
        ("last_1", "refit", ("train",)),
        ("none", "refit", ("train",)),
    ],
)
def test_models_never_see_the_test_fold(
    holdout: str, protocol: str, folds: tuple[str, ...]
) -> None:
    assert (
        load_config([], [f"split.holdout={holdout}", f"split.protocol={protocol}"]).model_folds
        == folds
    )


@pytest.mark.parametrize(
    ("convention", "a1", "a2", "b"),
    [
        ("flink", 15, 0, 0.3),
        (
            "alink",
            5,
            1,
            -0.35,
        ),  # they take 1 / (a1 + n)^-0.35 by default, which raises users with long lists
        ("pai", 5, 1, -0.35),
        ("farm", 0, 0, 0.5),
    ],
)
def test_a_convention_fills_the_parameters_of_swing_and_no_others(
    convention: str, a1: float, a2: float, b: float
) -> None:
    swing, plain = (
        load_config([], [f"i2i.swing.convention={convention}"]).i2i.swing,
        load_config([], []).i2i.swing,
    )
    assert (swing.a1, swing.a2, swing.b) == (a1, a2, b)
    assert (
        swing.model_copy(update={"convention": None, "a1": plain.a1, "a2": plain.a2, "b": plain.b})
        == plain
    )


@pytest.mark.parametrize("given", [{"b": 0.4}, {"a1": 0.0, "a2": 0.0}])
def test_a_given_value_wins_over_the_convention_in_any_order(given: dict[str, float]) -> None:
    settings = [
        "i2i.swing.convention=alink",
        *(f"i2i.swing.{name}={value}" for name, value in given.items()),
    ]
    for in_order in (settings, settings[::-1]):
        swing = load_config([], in_order).i2i.swing
        assert swing.model_dump(include={"a1", "a2", "b"}) == {"a1": 5, "a2": 1, "b": -0.35} | given


def test_a_convention_in_a_file_leaves_the_files_own_values(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("i2i: {swing: {convention: flink, b: 0.4}}\n")
    swing = load_config([tmp_path / "mine.yaml"], ["i2i.swing.a2=2"]).i2i.swing
    assert (swing.a1, swing.a2, swing.b) == (15, 2, 0.4)


def test_a_configuration_with_a_convention_survives_being_written_and_read() -> None:
    config = load_config([], ["i2i.swing.convention=flink", "i2i.swing.b=0.4"])
    assert type(config).model_validate(config.model_dump(mode="json", by_alias=True)) == config


def test_an_unknown_convention_is_a_sentence_that_names_the_known_ones() -> None:
    with pytest.raises(
        UserError, match=r"i2i\.swing\.convention.*'flink', 'alink', 'pai' or 'farm'"
    ):
        load_config([], ["i2i.swing.convention=spark"])


def test_a_digest_changes_with_its_sections_alone() -> None:
    plain, other = load_config([], []), load_config([], ["sft.alpha=9"])
    assert plain.digest("sft") != other.digest("sft")
    assert plain.digest("fuse", "split.protocol") == other.digest("fuse", "split.protocol")
    assert plain.digest() != other.digest()


def test_every_known_key_can_be_set_to_its_own_default() -> None:
    plain = load_config([], [])
    values = plain.model_dump(mode="json", by_alias=True)
    for key in known_keys():
        found = values
        for part in key.split("."):
            found = found[part]
        assert load_config([], [f"{key}={json.dumps(found)}"]) == plain, key


def options_of(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Every option below a model, by its key."""
    for name, option in model.model_fields.items():
        kind = option.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from ((f"{name}.{key}", inner) for key, inner in options_of(kind))
        else:
            yield name, option


def test_every_option_says_what_it_is_for() -> None:
    assert [key for key, option in options_of(Config) if not option.description] == []


def test_shares_of_negatives_that_are_more_than_all_of_them_are_a_sentence() -> None:
    both = {"export.hard_negatives_share": 0.8, "export.popular_negatives_share": 0.2}
    export = load_config(overrides=both).export
    assert (export.negatives_per_positive, export.popular_negatives) == (4, 0)  # rounded down
    with pytest.raises(UserError, match="add up to more than 1: lower one of them") as caught:
        load_config(overrides={**both, "export.popular_negatives_share": 0.25})
    assert "\n" not in str(caught.value)
