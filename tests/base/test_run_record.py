"""Run records and fingerprints: what decides whether work is left."""

from __future__ import annotations

from llm_i2i_spark.base.run_record import Run, RunRecord, Stage, fingerprint
from llm_i2i_spark.config.files import load_config

STAGE = Stage(
    "fuse",
    lambda config, variants: ("interactions",),
    ("fused",),
    ("fuse",),
    lambda lake, config, run: None,
)


def test_a_record_survives_json_and_foreign_metadata_is_none() -> None:
    config = load_config([], [])
    record = Run("r1", "fuse", {"interactions": 3}, ("real",), "abc").record(
        config, "fused", rows=4
    )
    assert RunRecord.from_json(record.to_json()) == record
    assert RunRecord.from_json(None) is None
    assert RunRecord.from_json("a note of someone else") is None
    assert RunRecord.from_json('{"some": "json"}') is None


def test_a_fingerprint_knows_inputs_settings_seed_and_variants() -> None:
    config = load_config([], [])
    base = fingerprint(STAGE, config, {"interactions": 1}, ("real",), {})
    assert base == fingerprint(
        STAGE, load_config([], ["sft.alpha=9"]), {"interactions": 1}, ("real",), {}
    )
    changed = [
        fingerprint(STAGE, config, {"interactions": 2}, ("real",), {}),
        fingerprint(STAGE, config, {"interactions": 1}, ("real", "llm_i2i"), {}),
        fingerprint(STAGE, config, {"interactions": 1}, ("real",), {"log": "other"}),
        fingerprint(
            STAGE,
            load_config([], ["fuse.soft_weight_scale=.5"]),
            {"interactions": 1},
            ("real",),
            {},
        ),
        fingerprint(STAGE, load_config([], ["seed=1"]), {"interactions": 1}, ("real",), {}),
    ]
    assert len({base, *changed}) == 6
