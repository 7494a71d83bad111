"""Secrets in texts and settings, masked: the one place that says what a secret looks like.

Errors, messages, logs, records, reports and `llm-i2i config` all pass through here. A secret is the
password of a URI, the value of a name such as `fs.s3a.secret.key`, or the value of such a parameter
in a query (`?sig=`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "********"

_NAMES = (
    r"secret|passw(?:or)?d|passphrase|pwd|credential|signature|(?<!per_)token(?!s|iz)"
    r"|(?:access|account|api|private|shared|client)[._-]?key"
)
SECRET_NAMES = rf"(?i){_NAMES}|\bsas\b|\bsig\b"
"""Regular expression of names whose values are secrets; Java and Python read it alike."""
LOGINS = r"(?<=\w://)[^\s/:@'\"<>]*:(?!\d+/)[^\s@'\"<>]+(?=@)"
"""Regular expression of the user and password of a URI, likewise."""
_NAME = re.compile(SECRET_NAMES)
_OBJECT_STORES = ("s3", "s3a", "s3n", "gs", "abfs", "abfss", "wasb", "wasbs", "hdfs", "oss", "cosn")
# After `host:` comes a port; anything else between a colon and an @ is a password.
_LOGIN = re.compile(r"(?P<before>\w://[^\s/:@'\"<>]*:)(?!\d+/)[^\s@'\"<>]+(?=@)")
# Of abfss://CONTAINER@ACCOUNT the part before the @ is a name, elsewhere a user, or a long token.
_TOKEN_LOGIN = re.compile(r"(?P<before>\b(?!abfs|wasb)\w+://)[^\s/:@'\"<>]{16,}(?=@)")
_ASSIGNED = re.compile(
    rf"(?P<before>(?i:[\w.-]*(?:{_NAMES}|\bsas|\bsig)[\w.-]*)['\"]?\s*[=:]\s*['\"]?)"
    r"(?P<value>[^\s'\"&;,{}<>]+)"
)


def refuse_login(path: str | None) -> str | None:
    """The path, which must not be of an object store with a password in it: Hadoop refuses such a
    one too, and Spark's own log would show it before.

    Raises:
        ValueError: it has one.
    """
    if path and path.partition(":")[0].lower() in _OBJECT_STORES and _LOGIN.search(path):
        raise ValueError(
            "a path of an object store takes no password; give it to Spark in spark.conf, such as"
            " spark.hadoop.fs.s3a.secret.key"
        )
    return path


def redact(text: str) -> str:
    """A text without the secrets in it.

    Examples:
        >>> redact("s3a://key:hunter2@bucket/log?sig=abc is not there")
        's3a://key:********@bucket/log?sig=******** is not there'
        >>> redact("hdfs://host:8020/log@v3 of sft.item_tokens: 4")
        'hdfs://host:8020/log@v3 of sft.item_tokens: 4'
    """
    for pattern in (_LOGIN, _TOKEN_LOGIN, _ASSIGNED):
        text = pattern.sub(rf"\g<before>{MASK}", text)
    return text


def is_secret_name(name: str) -> bool:
    """Whether the value of an option of this name is a secret as a whole."""
    return _NAME.search(name) is not None


def redact_value(name: str, value: Any) -> Any:
    """A setting without the secrets in it.

    Args:
        name: of the setting.
        value: text, a number, a list or a mapping of settings by name.
    """
    if value and not isinstance(value, (int, float)) and is_secret_name(name):
        return MASK
    if isinstance(value, Mapping):
        return {key: redact_value(str(key), inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact_value(name, inner) for inner in value]
    return redact(value) if isinstance(value, str) else value
