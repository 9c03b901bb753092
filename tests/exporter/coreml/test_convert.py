"""One module to one ML program: pins, names, and what cannot be converted."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sam2lite.contracts.families.sam2lite import IMAGE_ENCODER, MASK_DECODER, MEMORY_SELECT
from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.contracts.values import IMAGE, TensorInfo
from sam2lite.errors import ExportError
from sam2lite.exporter.coreml.convert import convert
from sam2lite.exporter.coreml.forms import OneHotEmbedding
from sam2lite.exporter.coreml.overflow import overflowing_in
from sam2lite.exporter.verify.parity import module_parity
from sam2lite.mil.inventory import read_inventory
from sam2lite.mil.package import load_package
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2lite.config import Sam2LiteConfig
from sam2lite.models.sam2lite.family import HOST
from sam2lite.models.sam2lite.image_encoder import ImageEncoder
from sam2lite.targets.profile import CoreMl
from sam2lite.targets.registry import get_target


def core_ml(name: str) -> CoreMl:
    found = get_target(name).coreml
    assert found is not None
    return found


IOS17 = core_ml("ios17")
SPEC = GraphSpec(
    "example", (TensorSpec("x_bc", "float32", (1, 8)),), (TensorSpec("y_bc", "float32", (1, 8)),)
)


class Large(nn.Module):
    """Passes through numbers that FP16 does not have."""

    def forward(self, x_bc: Tensor) -> Tensor:
        large_bc = torch.relu(3e4 * x_bc + 2e5)
        moved_bc = large_bc.reshape(2, 4).transpose(0, 1).reshape(1, 8)
        return torch.tanh(1e-5 * moved_bc)


class Bessel(nn.Module):
    def forward(self, x_bc: Tensor) -> Tensor:
        return torch.special.bessel_j0(x_bc)


class Outer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.ReLU(), Bessel())

    def forward(self, x_bc: Tensor) -> Tensor:
        return self.inner(x_bc)


class ByItsSign(nn.Module):
    def forward(self, x_bc: Tensor) -> Tensor:
        return x_bc if x_bc.sum() > 0 else -x_bc


class OtherNames(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2.0 * x


def test_prompt_coordinates_and_ages_stay_in_fp32(mini_model: LoadedModel) -> None:
    spec = MASK_DECODER.bind(mini_model.config.dims(240))
    converted = convert(mini_model.model.fused().mask_decoder, spec, IOS17)
    assert converted.precision == "fp16"
    assert set(converted.pinned.values()) == {"coordinates"}
    function = load_package(Path(converted.model.package_path)).function()
    declared = {step.op: step.outputs[0].dtype for step in function.program.steps}
    assert declared["sin"] == declared["cos"] == declared["minimum"] == "float32"
    assert declared["softmax"] == declared["layer_norm"] == declared["conv"] == "float16"
    parity = module_parity(mini_model.model.mask_decoder, lambda feeds: function.run(feeds), spec)
    assert min(error.sqnr_db for error in parity.values()) >= 55.0


def test_labels_are_looked_up_without_integers(mini_model: LoadedModel) -> None:
    spec = MASK_DECODER.bind(mini_model.config.dims(240))
    converted = convert(mini_model.model.fused().mask_decoder, spec, IOS17)
    ops = read_inventory(Path(converted.model.package_path))["main"].ops
    assert not {"gather", "select", "greater_equal"} & set(ops)


def test_pixels_are_rounded_once(mini_model: LoadedModel) -> None:
    spec = IMAGE_ENCODER.bind(mini_model.config.dims(240))
    converted = convert(mini_model.model.fused().image_encoder, spec, IOS17, form=HOST.core_ml_form)
    function = load_package(Path(converted.model.package_path)).function()
    first = [step.op for step in function.program.steps[:4]]
    assert first == ["cast", "sub", "conv", "conv"]


class Normalised(ImageEncoder):
    """The normalisation alone."""

    def forward(self, image_bchw: Tensor) -> tuple[Tensor]:  # type: ignore[override]
        return (image_bchw * self.pixel_scale + self.pixel_shift,)


def test_centred_pixels_are_nearer_for_every_value(mini_model: LoadedModel) -> None:
    config = mini_model.config
    assert isinstance(config, Sam2LiteConfig)
    plain = Normalised(config)
    image_bchw = torch.arange(256.0).reshape(1, 1, 16, 16).expand(1, 3, 16, 16)
    exact = plain(image_bchw)[0].numpy()
    spec = GraphSpec(
        "example",
        (TensorSpec("image_bchw", "uint8", (1, 3, 16, 16)),),
        (TensorSpec("x_bchw", "float32", (1, 3, 16, 16)),),
        tensors={"image_bchw": TensorInfo("Pixels.", IMAGE)},
    )
    converted = convert(plain, spec, IOS17, form=HOST.core_ml_form)
    run = load_package(Path(converted.model.package_path)).function().run
    feeds = {"image_bchw": image_bchw.numpy().astype(np.uint8)}
    centred = np.abs(run(feeds)["x_bchw"] - exact)
    half = [x.half().float() for x in (plain.pixel_scale, plain.pixel_shift)]
    naive = ((image_bchw * half[0]).half() + half[1].half()).float().numpy() - exact
    assert centred.max() <= 2.0**-9  # half a step of FP16 from 2 to 4, and the scale's
    assert 2.0 * np.square(centred).sum() < np.square(naive).sum()


@pytest.mark.parametrize("shape", [(1, 8), (3,)])
def test_a_one_hot_embedding_is_the_embedding(shape: tuple[int, ...]) -> None:
    embedding = nn.Embedding(5, 12)
    index = torch.randint(0, 5, shape, dtype=torch.int32)
    assert torch.equal(OneHotEmbedding(embedding)(index), embedding(index))


def test_what_memory_is_ranked_by_is_all_fp32(mini_model: LoadedModel) -> None:
    spec = MEMORY_SELECT.bind(mini_model.config.dims(240))
    converted = convert(mini_model.model.fused().memory_select, spec, IOS17)
    assert converted.precision == "fp32"
    package = Path(converted.model.package_path)
    types = {o.dtype for s in load_package(package).function().program.steps for o in s.outputs}
    assert "float16" not in types
    assert read_inventory(package)["main"].float32_ops > 0


def test_what_overflows_is_pinned_and_then_does_not() -> None:
    calls = [{"x_bc": np.linspace(-1, 1, 8, dtype=np.float32)[None]}]
    first = convert(Large(), SPEC, IOS17)
    run = load_package(Path(first.model.package_path)).function().run
    assert run(calls[0])["y_bc"].max() == 1.0  # tanh of infinity
    overflowing = overflowing_in(first.model, calls)
    assert max(overflowing.values()) == pytest.approx(2.3e5, rel=1e-3)
    second = convert(Large(), SPEC, IOS17, overflowing)
    assert any(reason.startswith("overflow: ") for reason in second.pinned.values())
    run = load_package(Path(second.model.package_path)).function().run
    expected = Large()(torch.from_numpy(calls[0]["x_bc"])).numpy()
    np.testing.assert_allclose(run(calls[0])["y_bc"], expected, rtol=2e-3)


def test_an_operator_that_does_not_convert_is_named_with_module_and_line() -> None:
    here = Path(__file__).name
    with pytest.raises(ExportError, match=rf"example for iOS17: .*bessel_j0.*{here}, line \d+"):
        convert(Bessel(), SPEC, IOS17)
    with pytest.raises(ExportError, match=r"bessel_j0.*\(module inner\.1, "):
        convert(Outer(), SPEC, IOS17)


def test_what_torch_cannot_export_is_refused() -> None:
    with pytest.raises(ExportError, match="torch cannot export example for iOS17"):
        convert(ByItsSign(), SPEC, IOS17)


def test_other_names_than_the_contracts_are_refused() -> None:
    with pytest.raises(ExportError, match="converted with the tensors x; the contract has x_bc"):
        convert(OtherNames(), SPEC, IOS17)
