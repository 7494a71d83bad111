"""The configuration: layers, unknown keys, values that do not fit, digests."""

from __future__ import annotations

import json
from collections.abc import Iterator
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
    ],
)
def test_a_wrong_setting_is_one_sentence(setting: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config([], [setting])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_broken_one_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no configuration file"):
        load_config([tmp_path / "none.yaml"])
    (tmp_path / "broken.yaml").write_text("sft: [1,")
    with pytest.raises(UserError, match="not valid YAML"):
        load_config([tmp_path / "broken.yaml"])
    (tmp_path / "latin.yaml").write_bytes(b"seed: \xff")
    with pytest.raises(UserError, match="not valid YAML"):
        load_config([tmp_path / "latin.yaml"])
    for base in ("5", "circle.yaml"):
        (tmp_path / "circle.yaml").write_text(f"extends: {base}")
        with pytest.raises(UserError, match="must name another file"):
            load_config([tmp_path / "circle.yaml"])
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(UserError, match="must hold sections"):
        load_config([tmp_path / "list.yaml"])


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
