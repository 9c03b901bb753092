import copy

import pytest
import torch

from sam2lite.contracts.families.sam2lite import FAMILY, IMAGE_ENCODER, RUNGS
from sam2lite.errors import ModelError, UnknownNameError
from sam2lite.exporter.onnx.trace import example_inputs
from sam2lite.models.sam2lite.blocks import ConvBn
from sam2lite.models.sam2lite.config import (
    BASE,
    SMALL,
    TINY,
    Sam2LiteConfig,
    size_config,
)
from sam2lite.models.sam2lite.network import Sam2Lite, build


@pytest.fixture(scope="module", params=[(TINY, 5.2e6), (SMALL, 12.8e6), (BASE, 38.4e6)])
def sized(request: pytest.FixtureRequest) -> tuple[Sam2Lite, float]:
    config, published = request.param
    return build(config), published


def assert_graphs_keep_their_contract(model: Sam2Lite, rung: int) -> None:
    for graph in FAMILY.graphs:
        spec = graph.bind(model.config.dims(rung))
        outputs = model.get_submodule(spec.name)(*example_inputs(spec))
        assert [tuple(tensor.shape) for tensor in outputs] == [out.shape for out in spec.outputs]
        assert [str(t.dtype) for t in outputs] == [f"torch.{out.dtype}" for out in spec.outputs]
        assert all(tensor.isfinite().all() for tensor in outputs)


def test_sizes_are_the_published_ones_and_keep_the_contract(sized: tuple[Sam2Lite, float]) -> None:
    model, published = sized
    counts = model.parameter_counts()
    assert counts["total"] == sum(parameter.numel() for parameter in model.parameters())
    assert counts["total"] == pytest.approx(published, rel=0.03)
    assert_graphs_keep_their_contract(model, 240)


@pytest.mark.parametrize("rung", RUNGS)
def test_every_rung_keeps_the_contract(tiny: Sam2Lite, rung: int) -> None:
    assert rung in tiny.config.rungs
    assert_graphs_keep_their_contract(tiny, rung)


def test_construction_is_reproducible(nano_config: Sam2LiteConfig) -> None:
    torch.manual_seed(123)
    random_state = torch.get_rng_state()
    first, again, other = build(nano_config, 7), build(nano_config, 7), build(nano_config, 8)
    assert torch.equal(torch.get_rng_state(), random_state)
    state, same, different = first.state_dict(), again.state_dict(), other.state_dict()
    assert all(torch.equal(state[name], same[name]) for name in state)
    assert not torch.equal(state["mask_decoder.queries"], different["mask_decoder.queries"])
    assert not first.training


@pytest.mark.parametrize("rung", [240, 336, 432])
def test_fused_network_is_the_same_function(worn: Sam2Lite, rung: int) -> None:
    # In double precision, where what is left of a difference is not rounding.
    model = copy.deepcopy(worn).double()
    fused = model.fused()
    for graph in FAMILY.per_size:
        spec = graph.bind(model.config.dims(rung))
        inputs = [t.double() if t.is_floating_point() else t for t in example_inputs(spec)]
        expected = model.get_submodule(spec.name)(*inputs)
        outputs = fused.get_submodule(spec.name)(*inputs)
        for a, b in zip(expected, outputs, strict=True):
            assert b.dtype == torch.float64
            assert (a - b).abs().max() <= 1e-10 * a.abs().max()


def test_fused_encoder_agrees_in_single_precision(worn: Sam2Lite) -> None:
    spec = IMAGE_ENCODER.bind(worn.config.dims(480))
    (image_bchw,) = example_inputs(spec)
    pairs = zip(worn.image_encoder(image_bchw), worn.fused().image_encoder(image_bchw), strict=True)
    assert all((a - b).abs().max() <= 1e-5 * a.abs().max() for a, b in pairs)


def test_fusing_leaves_nothing_behind_and_the_original_alone(worn: Sam2Lite) -> None:
    fused = worn.fused()
    assert any(isinstance(module, ConvBn) for module in worn.modules())
    assert not any(isinstance(m, ConvBn | torch.nn.BatchNorm2d) for m in fused.modules())
    assert not any(parameter.requires_grad for parameter in fused.parameters())
    assert all(parameter.requires_grad for parameter in worn.parameters())


def test_fused_convolution_keeps_type_and_device() -> None:
    fused = ConvBn(4, 4, 3, depthwise=True, residual=True).eval().double().fused()
    assert fused.weight.dtype == torch.float64
    meta = ConvBn(4, 4, 3).to("meta").fused()
    assert meta.weight.device.type == "meta"


def test_normalisation_is_in_the_graph(tiny: Sam2Lite) -> None:
    grey = torch.full((1, 3, 240, 240), 128, dtype=torch.uint8)
    shifted = copy.deepcopy(tiny.image_encoder)
    shifted.pixel_shift += 1.0
    outputs = [tiny.image_encoder(grey), tiny.image_encoder(grey.float()), shifted(grey)]
    assert torch.equal(outputs[0][0], outputs[1][0])
    assert not torch.allclose(outputs[0][0], outputs[2][0])


def test_unknown_size_lists_the_known_ones() -> None:
    assert size_config("base") is BASE
    with pytest.raises(UnknownNameError, match="'huge'; known: tiny, small, base"):
        size_config("huge")


@pytest.mark.parametrize("config", [TINY, SMALL, BASE])
def test_configuration_survives_json(config: Sam2LiteConfig) -> None:
    assert Sam2LiteConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "sam2"}, "model_type 'sam2'; expected 'sam2lite'"),
        ({"budgets": 3}, "budgets"),
        ({"stages": 3}, "does not describe"),
        ({"stages": [{"width": 8}]}, "blocks"),
        ({"budget": "256"}, "budget '256'; it must be a whole number above 0"),
        ({"budget": 0}, "budget 0"),
        ({"decoder_layers": True}, "decoder_layers True"),
    ],
)
def test_bad_configuration_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Sam2LiteConfig.from_json({**TINY.to_json(), **change})


def test_incomplete_configuration_is_refused() -> None:
    data = TINY.to_json()
    del data["embed_dim"]
    with pytest.raises(ModelError, match="embed_dim"):
        Sam2LiteConfig.from_json(data)
