"""What the discriminator says in SQL, beside what its stage wrote."""

from __future__ import annotations

import pytest
from pyspark.sql import functions as F

from llm_i2i_spark import Project
from llm_i2i_spark.lake.user_histories import build_histories


def expect_what_the_stage_gave(project: Project) -> None:
    """Compare every candidate of a lake, and see what is said of items that nobody knows."""
    spark, config = project.lake.spark, project.config
    histories = build_histories(
        project.table("interactions"), project.table("items"), config.model_folds, 50
    ).select("user_id", F.transform("history", lambda item: item["item_id"]).alias("history"))
    scored = project.table("scored").where("source = 'synthetic'").join(histories, "user_id")
    scored.createOrReplaceTempView("asked")
    project.register_confidence()
    rows = spark.sql(
        "SELECT p_yes, llm_i2i_confidence(history, item_id) AS found FROM asked"
    ).collect()
    assert len(rows) > 100
    for row in rows:
        assert row.found == pytest.approx(row.p_yes, abs=1e-5)
    known = scored.first()
    assert known is not None
    item = known["item_id"]
    strange = spark.sql(
        f"SELECT llm_i2i_confidence(array('{item}'), 'no such item') AS unknown,"
        f" llm_i2i_confidence(NULL, '{item}') AS no_history,"
        f" llm_i2i_confidence(array('no such item', '{item}', NULL), '{item}') AS partly,"
        f" llm_i2i_confidence(array('{item}'), '{item}') AS without"
    ).first()
    assert strange is not None
    assert strange.unknown is None
    assert strange.no_history is None
    assert strange.partly == pytest.approx(strange.without, abs=1e-6)
