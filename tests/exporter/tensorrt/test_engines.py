"""Engines built, compared and mended on this machine, with a double that is wrong in FP16."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from sam2lite.calibration.calibrate import CalibrationSettings, recorded
from sam2lite.calibration.recorder import Recording
from sam2lite.contracts.build_plan import BuildPlan, GraphPlan
from sam2lite.contracts.manifest import GraphEntry
from sam2lite.device.tensorrt.board import Board
from sam2lite.device.tensorrt.builder import Built, Request
from sam2lite.device.tensorrt.graph_build import Job
from sam2lite.errors import SessionError, VerificationError
from sam2lite.exporter.bundle.job import ExportJob
from sam2lite.exporter.bundle.writer import export_float
from sam2lite.exporter.onnx.trace import feeds_of
from sam2lite.exporter.precision.fp16 import pinned_nodes
from sam2lite.exporter.precision.fp16_ranges import measure_ranges
from sam2lite.exporter.tensorrt.bisect import Subject, bisect_engine, fp16_nodes
from sam2lite.exporter.tensorrt.engine_check import EngineCheck, EngineTest
from sam2lite.exporter.tensorrt.engines import EngineMaker
from sam2lite.exporter.verify.parity import onnx_runner
from sam2lite.models.loaded import LoadedModel
from sam2lite.runtimes.backends.tensorrt import session as trt
from sam2lite.runtimes.backends.tensorrt.cuda import CudaDevice
from sam2lite.runtimes.backends.tensorrt.engines import (
    engine_path,
    is_current,
    read_engines,
    read_plan,
)
from sam2lite.runtimes.backends.tensorrt.runtime import TrtRuntime
from sam2lite.runtimes.bundle import open_bundle, read_manifest
from tests.conftest import RUNGS
from tests.doubles.cuda import FakeCuda
from tests.doubles.tensorrt_engines import FaultyBuild
from tests.doubles.tensorrt_runtime import NAMED, FakeTensorrt

GPU = CudaDevice("NVIDIA GeForce RTX 3060", "8.6", 12 << 30)
DECODER, ENCODER, SELECT = "mask_decoder@240", "image_encoder@240", "memory_select"
CULPRIT = "/stages.1/blocks.0/project/Conv"  # of the encoder


@pytest.fixture
def tensorrt(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTensorrt]:
    """TensorRT and CUDA by doubles, for sessions too."""
    device = FakeCuda()
    fake = FakeTensorrt(device, NAMED)
    runtime = TrtRuntime(fake, device)
    monkeypatch.setattr(trt, "shared_runtime", lambda: runtime)
    monkeypatch.setattr(trt, "here", lambda: (NAMED, GPU))
    yield fake
    runtime.close()
    assert device.nothing_left()


@pytest.fixture
def board(tensorrt: FakeTensorrt) -> Board:
    return Board(tensorrt, NAMED, GPU)


@pytest.fixture(scope="module")
def recording(mini_model: LoadedModel, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("recordings")
    return recorded(mini_model, RUNGS[:1], CalibrationSettings(frames=8), folder)[0]


@pytest.fixture
def test(mini_model: LoadedModel, recording: Recording) -> EngineTest:
    return EngineTest(mini_model, recording)


@pytest.fixture
def bundle(nano_bundle: Path, tmp_path: Path) -> Path:
    """One that a test may change; its plan has flags and pins, and TensorRT 8.2's graphs."""
    return Path(shutil.copytree(nano_bundle, tmp_path / "b"))


def verification(bundle: Path) -> dict[str, dict[str, object]]:
    text = Path(engine_path(str(bundle), "verification.json")).read_text()
    return dict(json.loads(text)["engines"])


def test_good_engines_are_built_compared_and_opened(
    bundle: Path, board: Board, mini_model: LoadedModel, test: EngineTest, tmp_path: Path
) -> None:
    build = FaultyBuild(board.trt, tmp_path)
    steps: list[str] = []
    maker = EngineMaker(bundle, board, mini_model, test, build=build, step=steps.append)
    made = maker.make(None)
    plan, (manifest, _) = read_plan(str(bundle)), read_manifest(str(bundle))
    assert steps == list(made) == list(plan.graphs)
    assert all(engine.check.holds for engine in made.values())
    assert made[DECODER].check.reference == "onnxruntime"
    assert 40.0 < made[DECODER].check.worst_db < 120.0, "an engine in FP16 is not equal"
    assert (made[SELECT].check.reference, made[SELECT].check.least_db) == ("pytorch", 80.0)
    entries = read_engines(str(bundle))
    assert all(is_current(manifest, plan, key, entry) for key, entry in entries.items())
    found = verification(bundle)
    assert found[DECODER]["holds"] is True
    assert found[DECODER]["engine_key"] == entries[DECODER].key
    # The manifest knows nothing of engines, and a bundle with them opens.
    opened = open_bundle(str(bundle))
    with opened.open_session(DECODER) as session:
        assert session.spec.name == "mask_decoder"
    # What is built is not built again, but compared again.
    again = EngineMaker(bundle, board, mini_model, test, build=build).make(None)
    assert len(build.requests) == len(plan.graphs)
    assert again[DECODER].check == made[DECODER].check


def test_a_layer_that_fp16_breaks_is_found_pinned_and_written(
    bundle: Path, board: Board, mini_model: LoadedModel, test: EngineTest, tmp_path: Path
) -> None:
    build = FaultyBuild(board.trt, tmp_path, {CULPRIT})
    said: list[str] = []
    asked: list[Mapping[str, Mapping[str, str]]] = []

    def rewrite(pins: Mapping[str, Mapping[str, str]]) -> None:
        """Do to the plan what exporting again does, without the rest."""
        asked.append(pins)
        plan = read_plan(str(bundle))
        graphs = {
            key: graph._replace(fp32_nodes=(*graph.fp32_nodes, *pins.get(key, ())))
            for key, graph in plan.graphs.items()
        }
        shutil.rmtree(bundle / "engines")
        (bundle / "plan.json").write_text(plan._replace(graphs=graphs).dumps())

    maker = EngineMaker(bundle, board, mini_model, test, build=build, report=said.append)
    made = maker.make(rewrite)
    assert all(engine.check.holds for engine in made.values())
    assert set(asked[0]) == {ENCODER}
    assert set(asked[0][ENCODER]) == {CULPRIT}
    assert "TensorRT 10.3.0 on NVIDIA GeForce RTX 3060" in asked[0][ENCODER][CULPRIT]
    assert CULPRIT in read_plan(str(bundle)).graphs[ENCODER].fp32_nodes
    # The others were put back, and were not built a second time.
    assert {key: build.built(key) for key in made if key != ENCODER} == {
        key: 1 for key in made if key != ENCODER
    }
    found = verification(bundle)[ENCODER]
    assert found["holds"] is True
    assert found["bisection"] == {
        "builds": build.built(ENCODER) - 2,  # and the first one, and the last
        "mended": True,
        "least": True,
        "pinned": [CULPRIT],
    }
    assert any(line.startswith(f"{ENCODER}: holds after") and CULPRIT in line for line in said)


def test_what_pinning_does_not_mend_is_refused_and_never_loaded(
    bundle: Path, board: Board, mini_model: LoadedModel, test: EngineTest, tmp_path: Path
) -> None:
    build = FaultyBuild(board.trt, tmp_path, always={CULPRIT})
    maker = EngineMaker(bundle, board, mini_model, test, build=build)
    with pytest.raises(VerificationError, match="FP16 is not at fault") as caught:
        maker.make(lambda pins: pytest.fail("nothing to pin"))
    assert f"the engine of {ENCODER}" in str(caught.value)
    assert "1 of 4 engines fail" in str(caught.value)
    assert build.built(ENCODER) == 3, "as it is, twice, and with every node in FP32"
    assert ENCODER not in read_engines(str(bundle))
    assert verification(bundle)[ENCODER]["holds"] is False
    opened = open_bundle(str(bundle))
    with pytest.raises(Exception, match="is not built yet"):
        opened.open_session(ENCODER)


def test_a_selection_that_differs_is_seen(
    bundle: Path, board: Board, mini_model: LoadedModel, test: EngineTest, tmp_path: Path
) -> None:
    """memory_select stays in FP32, so there is nothing to pin."""
    model = onnx.load(bundle / "graphs" / f"{SELECT}.onnx")
    first = next(n.name for n in model.graph.node if n.name.startswith("/importance/hidden.0"))
    build = FaultyBuild(board.trt, tmp_path, always={first})
    maker = EngineMaker(bundle, board, mini_model, test, build=build)
    with pytest.raises(VerificationError, match=f"the engine of {SELECT}.*its graph is in FP32"):
        maker.make(lambda pins: pytest.fail("nothing to pin"))
    assert build.built(SELECT) == 1
    ratios = verification(bundle)[SELECT]["sqnr_db"]
    assert isinstance(ratios, dict)
    assert ratios["kept_index_bn"] == "wrong", "tokens were chosen that no tie explains"


def test_a_build_that_fails_says_where_to_go_on(
    bundle: Path, board: Board, mini_model: LoadedModel, test: EngineTest, tmp_path: Path
) -> None:
    good = FaultyBuild(board.trt, tmp_path)

    def build(trt: Any, request: Request, say: Callable[[str], None] | None = None) -> Built:
        if request.key == DECODER:
            raise SessionError(f"{DECODER}: TensorRT 10.3.0 built no engine (out of memory)")
        return good(trt, request, say)

    maker = EngineMaker(bundle, board, mini_model, test, build=build)
    with pytest.raises(SessionError, match=r"out of memory.*device\.pyz build` goes on"):
        maker.make(None)
    assert ENCODER in read_engines(str(bundle))


def test_types_in_the_graph_are_bisected_too(
    nano_bundle: Path,
    board: Board,
    mini_model: LoadedModel,
    recording: Recording,
    test: EngineTest,
    tmp_path: Path,
) -> None:
    """A strongly typed engine is pinned by casts in its graph, made anew for every build."""
    spec, rung = ExportJob.of(mini_model, RUNGS[:1], "trt").keys[DECODER]
    model = export_float(mini_model, mini_model.model.fused(), spec, rung, 19).model
    calls = [feeds_of(spec, tensors) for tensors in recording.sample(spec.name, rung, 4)]
    pinned = frozenset(pinned_nodes(model, spec, measure_ranges(model, calls)))
    candidates = fp16_nodes(model, pinned)
    assert not pinned & set(candidates)
    of = {node.name: node for node in model.graph.node}
    products = [name for name in candidates if of[name].op_type in {"Conv", "MatMul", "Gemm"}]
    culprits = {products[3], products[-3]}
    build = FaultyBuild(board.trt, tmp_path, culprits)
    plan = BuildPlan(NAMED, True, 64, {DECODER: GraphPlan("graphs/g.onnx")})
    manifest, _ = read_manifest(str(nano_bundle))  # of another bundle: nothing is read from it
    job = Job(str(tmp_path), manifest, plan, board, 64, verbose=False)
    subject = Subject(DECODER, GraphEntry("graphs/g.onnx", "fp16", spec), rung, model, pinned)
    said: list[str] = []
    found = bisect_engine(job, subject, test, build, said.append)
    assert found.pinned is not None
    assert found.least
    assert found.nodes <= set(candidates)
    assert found.builds == len(build.requests) == len(said)
    assert found.nodes & culprits, "what is pinned is what is wrong"
    assert len(found.pinned) <= len(culprits)
    assert all(request.strongly_typed and not request.plan.fp32_nodes for request in build.requests)


def test_a_graph_without_recorded_calls_is_run_on_examples(
    mini_model: LoadedModel, recording: Recording, nano_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    nothing = EngineTest(
        mini_model, Recording(tmp_path / "empty", recording.data_sha256, mini_model.family)
    )
    spec = read_manifest(str(nano_bundle))[0].graphs[ENCODER].spec
    file = nano_bundle / "graphs" / f"{ENCODER}.onnx"
    check = nothing.check(spec, 240, "fp16", onnx_runner(file), file)
    assert (check.calls, check.worst_db, check.holds) == (4, np.inf, True)
    assert check.describe() == "all outputs are equal"
    assert set(check.to_json()["sqnr_db"].values()) == {"equal"}


def test_figures_that_are_not_finite_are_words() -> None:
    check = EngineCheck({"a": 50.123, "b": -np.inf}, 40.0, "onnxruntime", 2)
    assert not check.holds
    assert check.describe() == "b is not finite, or wrong"
    assert check.to_json()["sqnr_db"] == {"a": 50.12, "b": "wrong"}
    assert EngineCheck({"a": 39.99}, 40.0, "onnxruntime", 2).describe() == "a is at 40.0 dB"


def test_a_build_that_is_wrong_once(
    bundle: Path, board: Board, mini_model: LoadedModel, test: EngineTest, tmp_path: Path
) -> None:
    """TensorRT picks kernels by measuring them, so that a second build may be another engine."""
    faulty = FaultyBuild(board.trt, tmp_path, {CULPRIT})

    def build(trt: Any, request: Request, say: Callable[[str], None] | None = None) -> Built:
        built = faulty(trt, request, say)
        if request.key == ENCODER:
            faulty.culprits.clear()
        return built

    maker = EngineMaker(bundle, board, mini_model, test, build=build)
    with pytest.raises(VerificationError, match="a second time it held"):
        maker.make(lambda pins: pytest.fail("nothing to pin"))
