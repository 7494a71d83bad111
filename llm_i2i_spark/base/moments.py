"""Moments in time as people write them in options: ISO 8601, in UTC where no zone is named."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def unix_micros(moment: str | datetime) -> int:
    """Microseconds since 1970 in UTC.

    >>> unix_micros("1970-01-02")
    86400000000
    >>> unix_micros("1970-01-01T01:00:00+01:00")
    0

    Args:
        moment: a day or a moment.

    Raises:
        ValueError: the text is neither.
    """
    if isinstance(moment, str):
        text = moment.strip()
        # Python 3.10 does not read the Z that 3.11 does.
        moment = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return (moment - _EPOCH) // timedelta(microseconds=1)
