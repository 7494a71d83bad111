"""What needs the files of a lake says so, before anything starts, of a lake that is elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llm_i2i_spark import Project
from llm_i2i_spark.base.errors import ConfigError

NEED_FILES: dict[str, Callable[[Project], object]] = {
    "A verification looks at the files": lambda project: project.verify(),
    "A replay links the files": lambda project: project.replay_run("r"),
    "Every file of the lake is looked into to forget": lambda project: project.forget("u1"),
    "Every file of the lake is looked into": lambda project: project.forget("u1", yes=True),
}


@pytest.mark.parametrize("sentence", NEED_FILES)
@pytest.mark.parametrize("place", [{"root": "s3://bucket/lake"}, {"schema": "main.clicks"}])
def test_a_lake_in_an_object_store_or_a_catalog_is_refused_with_what_to_set(
    place: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # a Spark that was started would miss Java
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(ConfigError, match=sentence) as refused:
        NEED_FILES[sentence](Project(**place))
    assert "set lake.root to" in str(refused.value)
    assert str(refused.value).count(".") <= 3
