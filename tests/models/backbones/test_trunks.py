"""Image encoders: against others' code with the same weights, and for inference the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sam2lite.contracts.families.backbones import FAMILY
from sam2lite.exporter.onnx.trace import example_inputs, trace
from sam2lite.models.backbones.config import (
    BACKBONES,
    CasVitConfig,
    MobileNetConfig,
    ResNetConfig,
    TrunkConfig,
    config_of,
)
from sam2lite.models.backbones.family import HOST
from sam2lite.models.backbones.network import BackboneNetwork, ImageEncoder, build, trunk_of
from sam2lite.models.layers.batch_norm import BatchNorm, Fold
from tests.oracles.clip import random_clip
from tests.oracles.plain_casvit import plain_casvit

TOLERANCE = 1e-5  # of the largest value


def image(side: int = 128) -> Tensor:
    return random_clip(1, side)[0] / 64.0 - 2.0


def check_close(ours: Tensor, theirs: Tensor) -> None:
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().max()) <= TOLERANCE * float(theirs.abs().max())


def randomly(config: TrunkConfig) -> nn.Module:
    return build(config_of(config), seed=5).image_encoder.get_submodule("trunk")


@pytest.mark.parametrize(
    ("name", "trunk", "neck"),
    [
        ("resnet18", 11_176_512, 246_784),
        ("mobilenet_v3_large", 2_971_952, 291_840),
        ("casvit_s", 5_250_704, 128_000),
    ],
)
def test_image_encoders_have_the_published_parameters(name: str, trunk: int, neck: int) -> None:
    with torch.device("meta"):
        encoder = ImageEncoder(BACKBONES[name][0])
    assert sum(each.numel() for each in encoder.trunk.parameters()) == trunk
    assert sum(each.numel() for each in encoder.neck.parameters()) == neck


def test_resnet18_is_torchvisions(torchvision: Any) -> None:
    trunk = randomly(ResNetConfig())
    theirs = torchvision.resnet18()
    theirs.fc = nn.Identity()
    missing, left_over = theirs.load_state_dict(trunk.state_dict(), strict=False)
    assert not left_over
    assert all(name.endswith("num_batches_tracked") for name in missing)
    theirs.eval()
    x = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(image()))))
    for index, ours in enumerate(trunk(image())):
        x = getattr(theirs, f"layer{index + 1}")(x)
        check_close(ours, x)


def test_mobilenet_is_torchvisions(torchvision: Any) -> None:
    trunk = randomly(MobileNetConfig())
    theirs = torchvision.mobilenet_v3_large().features
    state = {name.removeprefix("base."): each for name, each in trunk.state_dict().items()}
    missing, left_over = theirs.load_state_dict(state, strict=False)
    assert not left_over
    assert all(name.endswith("num_batches_tracked") for name in missing)
    theirs.eval()
    x, maps = image(), []
    for index, feature in enumerate(theirs):
        x = feature(x)
        maps += [x] if index in (3, 6, 12, 16) else []
    for ours, expected in zip(trunk(image()), maps, strict=True):
        check_close(ours, expected)


def test_casvit_is_what_its_paper_says() -> None:
    trunk = randomly(CasVitConfig())
    expected = plain_casvit(trunk.state_dict(), image())
    for ours, theirs in zip(trunk(image()), expected, strict=True):
        check_close(ours, theirs)


@pytest.mark.parametrize("graph", ["image_encoder", "mask_decoder", "memory_attention_2"])
def test_a_graph_for_inference_computes_the_same(network: BackboneNetwork, graph: str) -> None:
    fused = HOST.fused(network)
    assert not [module for module in fused.modules() if isinstance(module, BatchNorm)]
    spec = FAMILY.graph(graph).bind(network.config.dims(128))
    inputs = example_inputs(spec, seed=1)
    expected = HOST.module(network, graph)(*inputs)
    for ours, theirs in zip(HOST.module(fused, graph)(*inputs), expected, strict=True):
        check_close(ours, theirs)


def test_batch_norms_before_a_border_are_not_folded() -> None:
    with pytest.raises(AssertionError):
        Fold(nn.Conv2d(4, 4, 3, padding=1), BatchNorm(4), before=True).folded()


@pytest.mark.parametrize(
    ("name", "opset", "most", "kind", "count"),
    [
        ("resnet18", 17, 65, "BatchNormalization", 0),
        ("mobilenet_v3_large", 13, 175, "HardSwish", 0),
        ("mobilenet_v3_large", 17, 155, "HardSwish", 20),
        ("casvit_s", 20, 460, "Gelu", 30),
    ],
)
def test_graphs_have_few_nodes(name: str, opset: int, most: int, kind: str, count: int) -> None:
    config = config_of(BACKBONES[name][0])
    network = HOST.fused(build(config, 1))
    spec = FAMILY.graph("image_encoder").bind(config.dims(128))
    graph = trace(HOST.module(network, spec.name), spec, opset).graph
    kinds = [node.op_type for node in graph.node if node.op_type != "Constant"]
    assert len(kinds) <= most
    assert kinds.count(kind) == count
    assert not {"Shape", "Slice", "Gather", "BatchNormalization"} & set(kinds)


def test_gates_and_products_stay_in_float() -> None:
    for fuse in (False, True):
        network = BackboneNetwork(config_of(CasVitConfig()))
        layers = HOST.quantized_layers(HOST.fused(network) if fuse else network)
        trunk = [name for name in layers if ".trunk." in name]
        ends = {name.rsplit(".attn.", 1)[1] for name in trunk if ".attn." in name}
        assert ends == ({"qk", "v"} if fuse else {"qkv"})
        assert sum(".mlp." in name for name in trunk) == 30
    mobile = HOST.quantized_layers(BackboneNetwork(config_of(MobileNetConfig())))
    assert not [name for name in mobile if ".trunk." in name and name.endswith((".fc1", ".fc2"))]


def test_the_same_seed_gives_the_same_network(network: BackboneNetwork) -> None:
    again = build(network.config, seed=3).state_dict()
    for name, tensor in network.state_dict().items():
        assert torch.equal(again[name], tensor), name
        assert tensor.numel() == 1 or float(tensor.max()) > float(tensor.min()), name


def test_other_widths_have_another_name() -> None:
    assert config_of(ResNetConfig((32, 64, 96, 128))).name == "sam2.1_resnet_32x8"
    assert config_of(trunk=ResNetConfig(), of_2_1=False).name == "sam2_resnet18"
    assert trunk_of(MobileNetConfig())(torch.zeros(1, 3, 64, 96))[3].shape == (1, 960, 2, 3)
