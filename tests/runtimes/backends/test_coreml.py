"""The adapter for Core ML: what it asks of macOS (a double), and that Linux has none."""

import json
import pickle
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sam2lite.contracts.families.sam2lite import IMAGE_ENCODER, graph_dims
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.errors import ArgumentError, BundleError, SessionError
from sam2lite.evaluation.workers import TrackerRecipe
from sam2lite.mil.session import open_simulated
from sam2lite.runtimes.backends.coreml import session as coreml
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.runtimes.presence import always_present

SPEC = IMAGE_ENCODER.bind(graph_dims(32, 4, 2, 2, 8))
IMAGE = {"image_bchw": np.arange(3 * 32 * 32, dtype=np.uint8).reshape(1, 3, 32, 32)}


class Model:
    """Stands for coremltools' MLModel; gives zeros in FP16."""

    refused = False

    def __init__(self, path: str, **options: Any) -> None:
        if self.refused:
            raise RuntimeError("Failed to build the model execution plan")
        self.path, self.options = path, options
        self.fed: dict[str, Any] = {}

    def predict(self, feeds: dict[str, Any]) -> dict[str, np.ndarray]:
        self.fed = feeds
        return {spec.name: np.zeros(spec.shape, np.float16) for spec in SPEC.outputs}  # type: ignore[arg-type]


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    units = {name: name for name in ("CPU_AND_NE", "CPU_ONLY")}
    double = SimpleNamespace(
        __version__="9.0", models=SimpleNamespace(MLModel=Model), ComputeUnit=units
    )
    monkeypatch.setitem(sys.modules, "coremltools", double)
    pillow: Any = ModuleType("PIL")
    pillow.__version__ = "12.0"
    pillow.Image = SimpleNamespace(fromarray=lambda image_hwc: ("picture", image_hwc))
    monkeypatch.setitem(sys.modules, "PIL", pillow)


def test_there_is_no_core_ml_on_linux() -> None:
    available, reason = coreml.is_available()
    assert not available
    assert "this is Linux" in reason
    assert "simulate" in reason
    with pytest.raises(SessionError, match="part of macOS and iOS"):
        coreml.CoremlSession(SPEC, "any.mlpackage", None, "CPU_ONLY")


@pytest.mark.usefixtures("mac")
def test_a_package_is_opened_as_asked_and_fed_pictures() -> None:
    assert coreml.is_available() == (True, "coremltools 9.0, pillow 12.0")
    with coreml.CoremlSession(SPEC, "a.mlpackage", "r32", "CPU_AND_NE") as session:
        model = session._model  # type: ignore[attr-defined]
        assert model.path == "a.mlpackage"
        assert model.options == {"compute_units": "CPU_AND_NE", "function_name": "r32"}
        given = session.run(IMAGE)
        kind, image_hwc = model.fed["image_bchw"]
        assert kind == "picture"
        assert_array_equal(image_hwc, IMAGE["image_bchw"][0].transpose(1, 2, 0))
        assert list(given) == SPEC.output_names
        for spec in SPEC.outputs:
            assert (given[spec.name].dtype, given[spec.name].shape) == (spec.dtype, spec.shape)
        with pytest.raises(SessionError, match="must be uint8"):
            session.run({"image_bchw": IMAGE["image_bchw"].astype(np.float32)})


@pytest.mark.usefixtures("mac")
@pytest.mark.parametrize("ranks", [False, True])
@pytest.mark.parametrize(
    "units",
    [
        {"ranks": "CPU_ONLY", "others": "CPU_AND_NE"},
        {"image_encoder": "CPU_AND_NE", "memory_select": "CPU_ONLY"},  # as of schema 1
    ],
)
def test_compute_units_are_by_what_a_graph_is(
    units: dict[str, str], ranks: bool, tmp_path: Path
) -> None:
    listing = {"rootModelIdentifier": "1", "itemInfoEntries": {"1": {"path": "model.mlmodel"}}}
    (tmp_path / "key.mlpackage" / "Data").mkdir(parents=True)
    (tmp_path / "key.mlpackage" / "Data" / "model.mlmodel").touch()
    (tmp_path / "key.mlpackage" / "Manifest.json").write_text(json.dumps(listing))
    spec = SPEC._replace(name="memory_select", ranks=True) if ranks else SPEC
    entry = SimpleNamespace(spec=spec, function=None)
    bundle: Any = SimpleNamespace(
        manifest=SimpleNamespace(
            graphs={"key": entry}, target={"coreml": {"compute_units": units}}
        ),
        graph_path=lambda key: str(tmp_path / f"{key}.mlpackage"),
    )
    with coreml.open_session(bundle, "key") as session:
        wanted = "CPU_ONLY" if ranks else "CPU_AND_NE"
        assert isinstance(session, coreml.CoremlSession)
        assert session._model.options["compute_units"] == wanted


@pytest.mark.usefixtures("mac")
def test_what_core_ml_refuses_is_a_session_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Model, "refused", True)
    with pytest.raises(SessionError, match=r"cannot load a.mlpackage: Failed to build"):
        coreml.CoremlSession(SPEC, "a.mlpackage", None, "CPU_ONLY")


def test_a_bundle_is_simulated_only_where_that_is_asked_for(ios_bundle: Path) -> None:
    with pytest.raises(SessionError, match="part of macOS and iOS"):
        open_bundle(str(ios_bundle)).open_session("memory_select")
    asked = []

    def simulate(spec: GraphSpec, path: str, function: str | None) -> Any:
        asked.append((spec.name, Path(path), function))
        return SimpleNamespace(spec=spec)

    bundle = always_present(open_bundle(str(ios_bundle), "coreml", simulate))
    bundle.open_session("image_encoder@240")
    bundle.open_session("memory_select")
    graphs = ios_bundle / "graphs"
    assert asked == [
        ("image_encoder", graphs / "image_encoder.mlpackage", "r240"),
        ("memory_select", graphs / "memory_select.mlpackage", None),
    ]


def test_a_simulated_session_keeps_to_its_spec(ios_bundle: Path) -> None:
    bundle = open_bundle(str(ios_bundle), simulate=open_simulated)
    with bundle.open_session("memory_encoder@240") as session:
        zeros = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in session.spec.inputs}  # type: ignore[type-var]
        given = session.run(zeros)
        assert list(given) == session.spec.output_names
        for spec in session.spec.outputs:
            assert (given[spec.name].dtype, given[spec.name].shape) == (spec.dtype, spec.shape)
        with pytest.raises(SessionError, match="memory_encoder takes"):
            session.run({})
    with pytest.raises(SessionError, match="closed"):
        session.run(zeros)


def test_workers_are_told_to_simulate(ios_bundle: Path) -> None:
    recipe = TrackerRecipe("bundle", str(ios_bundle), simulate=open_simulated)
    assert pickle.loads(pickle.dumps(recipe)).simulate is open_simulated
    with pytest.raises(SessionError, match="part of macOS"):
        TrackerRecipe("bundle", str(ios_bundle)).make(240)
    recipe.make(240)


def test_another_backend_does_not_run_a_bundle_for_core_ml(ios_bundle: Path) -> None:
    with pytest.raises(ArgumentError, match="made for 'coreml' and can be run by coreml"):
        open_bundle(str(ios_bundle), "ort")


def test_damaged_and_missing_packages_are_found(ios_bundle: Path, tmp_path: Path) -> None:
    broken = tmp_path / "b"
    shutil.copytree(ios_bundle, broken)
    weights = broken / "graphs/memory_select.mlpackage/Data/com.apple.CoreML/weights/weight.bin"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(BundleError, match=r"memory_select.mlpackage/.*was changed"):
        open_bundle(str(broken))
    shutil.rmtree(broken / "graphs" / "memory_select.mlpackage")
    with pytest.raises(BundleError, match=r"memory_select.mlpackage/.* is missing"):
        open_bundle(str(broken))
