"""Adapters: what they train, what they leave as it is, and that merging changes nothing."""

from __future__ import annotations

import pytest
import torch

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.sections.sft import LoraAdapters
from llm_i2i_spark.lm.lora import add_adapters
from llm_i2i_spark.lm.new_model import build_model

pytestmark = pytest.mark.lm
N_ITEMS = 9
LAYERS = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


@pytest.fixture
def make_model(small, base_model_folder):
    def make(family="llama", **changed):
        config = small.CONFIG.model_copy(
            update={"base_model": str(base_model_folder(family)), **changed}
        )
        return build_model(config, N_ITEMS, small.features(N_ITEMS), None, seed=1)

    return make


def of_adapters(model):
    return {name: one for name, one in model.named_parameters() if ".lora_" in name}


def item_logits(model):
    tokens = model.vocabulary_size + torch.arange(8).reshape(2, 4)
    hidden = model.eval()(tokens, torch.arange(4).expand(2, 4))
    return model.item_logits(hidden.flatten(0, 1))


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_the_backbone_rests_and_what_starts_from_scratch_is_trained_whole(make_model, family):
    model = make_model(family)
    add_adapters(model, LoraAdapters(rank=2), seed=1)
    trained = {name for name, one in model.named_parameters() if one.requires_grad}
    assert {name.split(".")[-4] for name in of_adapters(model)} == LAYERS
    whole = {
        name for name, _ in model.named_parameters() if name.split(".")[0] not in ("backbone",)
    }
    assert trained == whole | set(of_adapters(model))
    assert {"item_embedding.weight", "text_projection.weight", "label_head.marks"} <= whole


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_adapters_start_as_nothing_and_merge_into_the_same_logits(make_model, family):
    model, plain = make_model(family), make_model(family)
    adapters = add_adapters(model, LoraAdapters(rank=3, alpha=7), seed=1)
    torch.testing.assert_close(item_logits(model), item_logits(plain), rtol=0, atol=0)
    torch.manual_seed(0)
    with torch.no_grad():
        for one in of_adapters(model).values():
            one += 0.1 * torch.randn(one.shape)
    adapted = item_logits(model)
    assert float((adapted - item_logits(plain)).detach().abs().max()) > 0.01
    adapters.merge_and_unload()
    torch.testing.assert_close(item_logits(model), adapted, rtol=0, atol=1e-5)
    assert [(name, one.shape) for name, one in model.state_dict().items()] == [
        (name, one.shape) for name, one in plain.state_dict().items()
    ]


def test_some_layers_the_scale_and_the_seed(make_model):
    made = []
    for seed in (1, 1, 2):
        model = make_model()
        add_adapters(model, LoraAdapters(rank=2, target_modules=("q_proj", "v_proj")), seed)
        made.append(of_adapters(model))
    assert {name.split(".")[-4] for name in made[0]} == {"q_proj", "v_proj"}
    first = next(name for name in made[0] if ".lora_A." in name)
    assert torch.equal(made[0][first], made[1][first])
    assert not torch.equal(made[0][first], made[2][first])
    projection = model.backbone.layers[0].self_attn.q_proj
    assert projection.scaling["default"] == 2.0  # alpha is twice the rank


def test_adapters_have_the_precision_of_the_weights(make_model):
    model = make_model(precision="bf16")
    add_adapters(model, LoraAdapters(rank=2), seed=1)
    assert {one.dtype for one in of_adapters(model).values()} == {torch.bfloat16}


def test_a_layer_that_is_none_is_refused_with_those_that_there_are(make_model):
    with pytest.raises(ConfigError, match=r"names c_attn, and the linear layers .* are down_proj,"):
        add_adapters(make_model(), LoraAdapters(rank=2, target_modules=("q_proj", "c_attn")), 1)
