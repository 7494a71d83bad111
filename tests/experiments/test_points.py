"""Values to sweep: read by the type of their option, refused with a sentence; presets that fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_i2i_spark import Project
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.cli.main import main
from llm_i2i_spark.experiments.sweeps.points import read_points
from llm_i2i_spark.experiments.sweeps.presets import PRESETS
from llm_i2i_spark.experiments.sweeps.sweep import sweep_arms


def test_values_are_read_by_the_type_of_their_option(tmp_path: Path) -> None:
    project = Project(tmp_path)
    found = [
        project.with_settings(point.settings).config
        for text in ("sft.alpha=1, 8", "fuse.band=[0,0.5],[0.5, 1]", "fuse.per_user=none,3")
        for point in read_points(text).points
    ]
    assert [config.sft.alpha for config in found[:2]] == [1.0, 8.0]
    assert [config.fuse.band for config in found[2:4]] == [(0.0, 0.5), (0.5, 1.0)]
    assert [config.fuse.per_user for config in found[4:]] == [None, 3]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_the_points_of_a_preset_are_different_configurations_that_exist(
    preset: object, tmp_path: Path
) -> None:
    project = Project(tmp_path)
    arms = sweep_arms(preset, "llm_i2i", "swing", "valid")
    configs = [project.with_settings(arm.settings).config for arm in arms]
    assert all(config.evaluate.target == "valid" for config in configs)
    assert len({config.digest() for config in configs}) == len(arms) > 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fuse.thresholds=1,2"], "did you mean fuse.threshold"),
        (["fuse.threshold"], "A sweep wants KEY=VALUE"),
        (["fuse.threshold="], "Name the values of fuse.threshold"),
        (["fuse.threshold=0.5,2"], "fuse.threshold: Input should be less than"),
        (["lake.root=a,b"], "lake.root cannot change a result"),
        (["sft.checkpoint_every=1,2"], "cannot change a result"),
        (["evaluate.target=valid,test"], "A sweep sets evaluate.target itself"),
        (["split.protocol=strict,refit"], "A sweep sets split.protocol itself"),
        ([], "Name either an option with its values"),
        (["sft.alpha=1", "--preset", "alpha"], "Name either an option with its values"),
        (["--preset", "beta"], "There is no preset 'beta'; choose one of confidence_bands"),
        (["--preset", "alpha", "--metric", "recall@7"], "There is no metric recall@7"),
        (["--preset", "alpha", "--variant", "best"], "There is no variant best"),
        (["fuse.band=[0.5,0.1]"], "a band goes from a lower share to a higher one"),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", *arguments, "--set", "lake.root=l"]) == 2
    shown = capsys.readouterr().err
    assert words in shown
    assert shown.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_api_call_without_an_option_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Name either an option"):
        Project(tmp_path).sweep()
