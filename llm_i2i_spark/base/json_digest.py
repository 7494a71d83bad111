"""The digest of plain values."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def json_digest(values: Any) -> str:
    """Hex sha256 of values as JSON with sorted keys: equal values, equal digest."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
