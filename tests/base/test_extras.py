"""What an installation lacks is one sentence with the command to type."""

from __future__ import annotations

import pytest

from llm_i2i_spark.base.errors import MissingDependencyError
from llm_i2i_spark.base.extras import EXTRAS, optional_imports, require_packages


@optional_imports()
def _import(module: str) -> None:
    raise ModuleNotFoundError(f"No module named {module!r}", name=module)


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_missing_package_is_a_sentence_with_the_command_that_installs_it(extra: str) -> None:
    for module in EXTRAS[extra]:
        with pytest.raises(MissingDependencyError) as raised:
            _import(f"{module}.part")
        assert f"pip install 'llm-i2i-spark[{extra}]'" in str(raised.value)
        assert module in str(raised.value)


def test_a_module_that_no_extra_installs_is_left_as_it_is() -> None:
    with pytest.raises(ModuleNotFoundError, match="elsewhere"):
        _import("elsewhere")


def test_packages_are_looked_for_before_work_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    require_packages("sft")
    monkeypatch.setitem(EXTRAS, "lm", ("torch", "absent_package"))
    with pytest.raises(MissingDependencyError, match=r"absent_package.*llm-i2i-spark\[sft\]"):
        require_packages("sft")
