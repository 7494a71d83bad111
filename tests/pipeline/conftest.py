"""Raw files to ingest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.memory_lake import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A lake without tables, and raw files."""
    (tmp_path / "interactions.csv").write_text("user_id,item_id\nu,i\n")
    (tmp_path / "items.csv").write_text("item_id,title\ni,t\n")
    return Shop(tmp_path)
