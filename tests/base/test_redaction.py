"""What looks like a secret is masked, and nothing else is."""

from __future__ import annotations

import logging

import pytest

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.base.redaction import MASK, is_secret_name, redact, redact_value
from llm_i2i_spark.config.files import known_keys

SECRETS = [
    "redis://:CANARY@h:6379/0",
    "redis://me:CANARY@127.0.0.1:1/0",
    "jdbc:postgresql://h:1/db?user=me&password=CANARY",
    "s3a://AKIA:CAN/ARY+x@bucket/log",
    "https://CANARY_0123456789abc@host/x",
    "wasbs://c@a.blob.core.windows.net/log?sig=CANARY&se=2026",
    "{spark.hadoop.fs.s3a.secret.key: CANARY}",
    "spark.conf.fs.azure.account.key.x=CANARY==",
    "'fs.s3a.session.token': 'CANARY'",
    "password = CANARY",
    "DB_PASSWD=CANARY exported",
]
PLAIN = [
    "s3a://bucket/log@v3",
    "hdfs://namenode:8020/log@v3",
    "abfss://averylongcontainername@account.dfs.core.windows.net/p",
    "sft.item_tokens: auto, generate.batch_tokens=16384",
    "tokenizer: sequence; key=user_id, item_id",
    "the secret of a good list is its order",
    "jdbc:sqlite:a.db?table=x",
    "user@example.com bought i1: twice",
]


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_masked_in_any_text(text: str) -> None:
    shown = redact(text)
    assert "CAN" not in shown
    assert MASK in shown
    assert redact(shown) == shown


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_no_option_is_taken_for_a_secret() -> None:
    assert [key for key in known_keys() if is_secret_name(key)] == []


def test_settings_are_masked_by_name_and_by_what_they_hold() -> None:
    given = {"a": {"fs.s3a.secret.key": "CANARY", "n": 3}, "b": ["s3a://k:CANARY@b", None]}
    shown = {"a": {"fs.s3a.secret.key": MASK, "n": 3}, "b": [f"s3a://k:{MASK}@b", None]}
    assert redact_value("", given) == shown


def test_errors_and_messages_have_no_secrets(caplog: pytest.LogCaptureFixture) -> None:
    assert "CANARY" not in str(StageError("There is nothing at s3a://k:CANARY@b."))
    with caplog.at_level(logging.INFO, logger="llm_i2i_spark"):
        log_message("ingest: read 3 rows of s3a://k:CANARY@b")
    assert "3 rows" in caplog.text
    assert "CANARY" not in caplog.text
