"""Names as statements need them: every level in quotes, whatever it holds."""

from __future__ import annotations

from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_sql import quoted_name, quoted_path
from llm_i2i_spark.lake.location import require_location


def test_names_of_one_two_and_three_levels_are_quoted_level_by_level() -> None:
    assert quoted_name("rec", "items") == "`rec`.`items`"
    assert quoted_name("main.rec-sys", "items") == "`main`.`rec-sys`.`items`"
    assert quoted_name("main.shop.clicks") == "`main`.`shop`.`clicks`"


def test_a_quote_in_a_path_is_doubled() -> None:
    assert quoted_path("/lake of `x`/items") == "delta.`/lake of ``x``/items`"


def test_a_catalog_of_unity_may_have_a_dash() -> None:
    require_location(load_config([], ["lake.schema=my-team.rec"]).lake)
