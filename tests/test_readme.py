"""The README's commands are commands that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from llm_i2i_spark.cli.parser import build_parser

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _lines() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
    return [
        line.split("  #")[0].strip()
        for block in blocks
        for line in block.replace("\\\n", " ").splitlines()
        if line.strip()
    ]


def test_every_llm_i2i_line_is_understood() -> None:
    commands = [shlex.split(line)[1:] for line in _lines() if line.startswith("llm-i2i ")]
    assert len(commands) >= 5
    for arguments in commands:
        build_parser().parse_args(arguments)


def test_every_make_target_and_job_exists() -> None:
    targets = set(
        re.findall(
            r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE
        )
    )
    assert {line.split()[1] for line in _lines() if line.startswith("make ")} <= targets
    for job in re.findall(r"\bjobs/[a-z_]+\.py", README):
        assert (ROOT / job).is_file(), job
