"""Reading packages: several functions, images, and everything that can be wrong with one."""

import importlib.metadata
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sam2lite.errors import BundleError, DependencyError, SessionError, UnknownNameError
from sam2lite.exporter.verify.parity import GRAPH_TOLERANCE, module_parity
from sam2lite.mil.archive import read_specification
from sam2lite.mil.coremltools_import import import_coremltools
from sam2lite.mil.inventory import read_inventory
from sam2lite.mil.package import load_package
from sam2lite.models.sam2lite.network import Sam2Lite
from tests.mil.conftest import Packages
from tests.mil.conversion import bound_spec, ct, saved

WEIGHTS = Path("Data/com.apple.CoreML/weights/weight.bin")
MODEL = Path("Data/com.apple.CoreML/model.mlmodel")


@pytest.fixture
def package(packages: Packages, tmp_path: Path) -> Path:
    """A package of the test's own, to damage."""
    return shutil.copytree(packages("memory_select"), tmp_path / "own.mlpackage")


@pytest.fixture(scope="module")
def two_rungs(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    descriptor = ct.utils.MultiFunctionDescriptor()
    for rung in (240, 336):
        one = packages("memory_encoder", "float32", "iOS18", rung)
        descriptor.add_function(str(one), "main", f"r{rung}")
    descriptor.default_function_name = "r336"
    path = tmp_path_factory.mktemp("functions") / "two.mlpackage"
    ct.utils.save_multifunction(descriptor, str(path))
    return path


def test_every_function_of_a_package_is_evaluated(network: Sam2Lite, two_rungs: Path) -> None:
    loaded = load_package(two_rungs)
    assert (loaded.specification_version, loaded.minimum_os) == (9, "iOS 18")
    assert loaded.function() is loaded.functions["r336"]
    for rung in (240, 336):
        spec = bound_spec(network, "memory_encoder", rung)
        function = loaded.function(f"r{rung}")
        assert (function.inputs, function.outputs) == (spec.inputs, spec.outputs)
        errors = module_parity(network.memory_encoder, function.run, spec)
        assert max(error.relative for error in errors.values()) <= GRAPH_TOLERANCE


def test_functions_share_weights_in_memory_as_in_the_file(two_rungs: Path) -> None:
    loaded = load_package(two_rungs)
    key = {
        name: next(
            step.arguments["weight"] for step in function.program.steps if step.op == "linear"
        )
        for name, function in loaded.functions.items()
    }
    assert key["r240"] is key["r336"]
    used = [function.weight_bytes for function in read_inventory(two_rungs).values()]
    assert max(used) < (two_rungs / WEIGHTS).stat().st_size < sum(used)


def test_only_the_functions_asked_for_are_loaded(two_rungs: Path) -> None:
    assert list(load_package(two_rungs, ["r240"]).functions) == ["r240"]
    with pytest.raises(UnknownNameError, match=r"unknown function of two.mlpackage 'r480'"):
        load_package(two_rungs, ["r480"])
    with pytest.raises(UnknownNameError, match="known: r240"):
        load_package(two_rungs, ["r240"]).function()


def image_package(path: Path, layout: str) -> Path:
    """A package that gives back its image, scaled and shifted by `ImageType`."""
    from coremltools.converters.mil.mil import Builder, types

    @Builder.program(
        input_specs=[Builder.TensorSpec((1, 3, 2, 4), types.fp32)], opset_version=ct.target.iOS17
    )
    def program(x: Any) -> Any:
        return Builder.relu(x=x, name="y")

    image = ct.ImageType(
        name="x", shape=(1, 3, 2, 4), scale=0.5, bias=[1.0, 2.0, 3.0],
        color_layout=ct.colorlayout(layout),
    )  # fmt: skip
    model = ct.convert(
        program, convert_to="mlprogram", inputs=[image], minimum_deployment_target=ct.target.iOS17,
        compute_precision=ct.precision.FLOAT32, skip_model_load=True,
    )  # fmt: skip
    return saved(model, path)


@pytest.mark.parametrize("layout", ["RGB", "BGR"])
def test_images_are_scaled_and_shifted_as_declared(tmp_path: Path, layout: str) -> None:
    function = load_package(image_package(tmp_path / "image.mlpackage", layout)).function()
    image_hwc = np.random.default_rng(0).integers(0, 256, (2, 4, 3), dtype=np.uint8)
    ordered_bchw = image_hwc[..., :: 1 if layout == "RGB" else -1].transpose(2, 0, 1)[None]
    expected = ordered_bchw * 0.5 + np.array([1, 2, 3], np.float32).reshape(1, 3, 1, 1)
    for image in (image_hwc, image_hwc.transpose(2, 0, 1)[None]):
        np.testing.assert_array_equal(function.run({"x": image}, "fp32")["y"], expected)
    with pytest.raises(SessionError, match=r"input 'x' takes uint8 \[1, 3, 2, 4\], but was given"):
        function.run({"x": image_hwc.astype(np.float32)})


def test_grey_images_are_refused(packages: Packages, tmp_path: Path) -> None:
    path = image_package(tmp_path / "image.mlpackage", "RGB")
    specification = read_specification(path)
    image = specification.description.input[0].type.imageType
    image.colorSpace = image.ColorSpace.Value("GRAYSCALE")
    (path / MODEL).write_bytes(specification.SerializeToString())
    with pytest.raises(SessionError, match="GRAYSCALE"):
        load_package(path)


def test_inputs_that_do_not_fit_are_named(package: Path) -> None:
    function = load_package(package).function()
    good = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in function.inputs}  # type: ignore[type-var]
    with pytest.raises(SessionError, match=r"missing: token_key_bnc, unknown: tokens"):
        function.run({"tokens" if key == "token_key_bnc" else key: good[key] for key in good})
    with pytest.raises(SessionError, match=r"takes float32 \[1, 32, 256\], but was given int64"):
        function.run({**good, "token_key_bnc": np.zeros((1, 32, 256), int)})
    with pytest.raises(SessionError, match=r"was given float32 \[1, 32, 255\]"):
        function.run({**good, "token_key_bnc": np.zeros((1, 32, 255), np.float32)})
    with pytest.raises(UnknownNameError, match="unknown precision 'int8'"):
        function.run(good, "int8")  # type: ignore[arg-type]


def test_a_path_that_is_no_package(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.mlpackage"):
        with pytest.raises(BundleError, match="is not a Core ML package"):
            load_package(path)


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"itemInfoEntries": {}})])
def test_a_damaged_manifest(package: Path, content: str) -> None:
    (package / "Manifest.json").write_text(content)
    with pytest.raises(BundleError, match=r"own.mlpackage/Manifest.json is .*export it again"):
        load_package(package)


def test_a_damaged_model(package: Path) -> None:
    (package / MODEL).write_bytes(b"\xff" * 100)
    with pytest.raises(BundleError, match="is damaged"):
        load_package(package)


def test_damaged_weights(package: Path) -> None:
    whole = (package / WEIGHTS).read_bytes()
    damages = (whole[: len(whole) // 2], whole[:64] + b"\0" * (len(whole) - 64), b"")
    for damaged in damages:
        (package / WEIGHTS).write_bytes(damaged)
        with pytest.raises(BundleError, match=r"weight.bin is damaged.*export the package again"):
            load_package(package)
    (package / WEIGHTS).unlink()
    with pytest.raises(BundleError, match=r"weight\.bin: No such file"):
        load_package(package)


def rewritten(package: Path, change: Any) -> Path:
    specification = read_specification(package)
    change(specification)
    (package / MODEL).write_bytes(specification.SerializeToString())
    return package


def test_a_model_of_another_kind(package: Path) -> None:
    with pytest.raises(BundleError, match="a model of the kind neuralNetwork"):
        load_package(rewritten(package, lambda spec: spec.neuralNetwork.SetInParent()))


def test_a_version_that_is_not_known(package: Path) -> None:
    def newer(specification: Any) -> None:
        specification.specificationVersion = 77

    with pytest.raises(BundleError, match="specification version 77; known: 6, 7, 8"):
        load_package(rewritten(package, newer))


def test_an_operator_that_is_not_known(package: Path) -> None:
    def strange(specification: Any) -> None:
        function = specification.mlProgram.functions["main"]
        operations = function.block_specializations[function.opset].operations
        next(op for op in operations if op.type == "topk").type = "top_secret"

    with pytest.raises(
        SessionError, match=r"operator top_secret \('topk_.*' in function 'main'\); add a handler"
    ):
        load_package(rewritten(package, strange))


def test_a_description_that_is_not_the_program_s(package: Path) -> None:
    def renamed(specification: Any) -> None:
        specification.description.input[0].name = "memory"

    def longer(specification: Any) -> None:
        specification.description.output[0].type.multiArrayType.shape[1] += 1

    with pytest.raises(BundleError, match="contradicts itself"):
        load_package(rewritten(package, longer))
    with pytest.raises(BundleError, match=r"contradicts itself: it describes .*'memory'"):
        load_package(rewritten(package, renamed))


def test_flexible_shapes_are_refused(package: Path) -> None:
    def flexible(specification: Any) -> None:
        array = specification.description.input[0].type.multiArrayType
        array.enumeratedShapes.shapes.add().shape.extend(array.shape)

    with pytest.raises(SessionError, match="flexible shape"):
        load_package(rewritten(package, flexible))


def test_coremltools_must_be_there_and_the_one_relied_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "8.3")
    with pytest.raises(SessionError, match=r"coremltools 8.3 is installed.*'coremltools==9.0'"):
        import_coremltools.__wrapped__()

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(DependencyError, match=r"pip install .*\[coreml\]'"):
        import_coremltools.__wrapped__()


def test_coremltools_is_imported_quietly() -> None:
    code = (
        "import logging, sam2lite.mil.coremltools_import as c; c.import_coremltools()\n"
        "logging.getLogger('coremltools').warning('a real warning')"
    )
    command = [sys.executable, "-W", "default", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "a real warning\n")
