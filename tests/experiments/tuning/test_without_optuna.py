"""Where Optuna is not installed, a search ends with the command that installs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "optuna":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from llm_i2i_spark.cli.main import main
print(main(["tune", "ndcg@10", "--set", "lake.root=l", "--set", "ingest.interactions=clicks.csv"]))
"""


def test_the_sentence_names_the_extra(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "2"
    assert "optuna" in done.stderr
    assert "pip install 'llm-i2i-spark[tune]'" in done.stderr
    assert list(tmp_path.iterdir()) == []
