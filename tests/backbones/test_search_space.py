"""Every backbone has a search space, of its own parameters, with values that it takes."""

from __future__ import annotations

import numpy as np
import pytest

from llm_i2i_spark.backbones import BACKBONES, Backbone, Swing
from llm_i2i_spark.backbones.search_space import PARAMETERS, Choice, Range, default_space
from llm_i2i_spark.base.sections.fuse import FuseConfig
from llm_i2i_spark.base.variants import REAL, VARIANTS, Variant
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.experiments.tuning.space import find_space
from llm_i2i_spark.experiments.tuning.tune import current_settings
from llm_i2i_spark.pipeline.stages import stages_for


def test_every_backbone_has_a_search_space_beside_it() -> None:
    assert set(PARAMETERS) == set(BACKBONES)


@pytest.mark.parametrize("backbone", BACKBONES, ids=lambda backbone: backbone.name)
def test_a_backbone_takes_every_value_of_its_space(backbone: type[Backbone]) -> None:
    draw = np.random.default_rng(7)
    stages = stages_for(Config(), [(REAL, backbone.name)], last="index")
    space = find_space(Config(), REAL, backbone.name, stages)
    assert {option.key.partition(f"i2i.{backbone.name}.")[2] for option in space} - {""} == set(
        PARAMETERS[backbone]
    )
    for option in space:
        domain = option.domain
        if isinstance(domain, Choice):
            values = list(domain.values)
        else:
            between = draw.uniform(domain.low, domain.high, 20)
            values = [domain.low, domain.high, *between]
            values = [option.rounded(value) for value in values]
        for value in values:
            assert option.contains(value)
            name = option.key.removeprefix(f"i2i.{backbone.name}.")
            if name in PARAMETERS[backbone]:
                assert getattr(backbone(**{name: value}), name) == value
            changed = Config().with_settings({option.key: value})
            assert current_settings(changed, [option]) == {option.key: value}


@pytest.mark.parametrize("backbone", BACKBONES, ids=lambda backbone: backbone.name)
def test_the_shipped_value_of_a_parameter_is_in_its_range(backbone: type[Backbone]) -> None:
    for name, domain in PARAMETERS[backbone].items():
        value = getattr(backbone(), name)
        if isinstance(domain, Range):
            assert domain.low <= value <= domain.high, name
        else:
            assert value in domain.values, name


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_the_weight_of_synthetic_rows_is_searched_where_it_counts(variant: Variant) -> None:
    by_mass = default_space(Swing, variant, FuseConfig())
    weighed = variant.fusion.synthetic not in ("none", "yes")  # what is answered Yes weighs 1
    assert ("fuse.synthetic_mass" in by_mass) == weighed
    for other in (FuseConfig(mode="threshold"), FuseConfig(soft_weight_scale=0.1)):
        assert "fuse.synthetic_mass" not in default_space(Swing, variant, other)
