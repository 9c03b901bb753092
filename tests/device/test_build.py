"""The command `build`, in this process, with a double of TensorRT in each dialect."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from sam2lite.contracts.build_plan import BuildPlan, GraphPlan
from sam2lite.device.app import main
from sam2lite.device.tensorrt import graph_build
from sam2lite.device.tensorrt.timing_cache import SET_ASIDE_SUFFIX, TIMING_CACHE_FILE
from sam2lite.errors import SessionError
from sam2lite.runtimes.backends.tensorrt import cuda
from sam2lite.runtimes.backends.tensorrt.cuda import CudaDevice
from sam2lite.runtimes.backends.tensorrt.engines import find_engine, read_engines, read_plan
from sam2lite.runtimes.bundle import open_bundle
from tests.doubles import tensorrt_builder as double
from tests.doubles.tensorrt_builder import VERSIONS, Layer, Scenario, make_module
from tests.doubles.trt_bundle import GRAPH, KEYS, PLAN, opened, write_manifest, write_trt_bundle

NANO = CudaDevice("NVIDIA Tegra X1", "5.3", 4 << 30)
STRONG = PLAN._replace(tensorrt="10.3.0", strongly_typed=True)
GRAPH_INT8 = GraphPlan("", ("FP16", "INT8"))  # with Q/DQ in the graph
ELEVEN = PLAN._replace(tensorrt="11.4.0", strongly_typed=True)

Insert = Callable[[Scenario], Any]


@pytest.fixture
def insert(monkeypatch: pytest.MonkeyPatch) -> Insert:
    """A function that puts a double in the place of TensorRT, on a Jetson Nano."""
    monkeypatch.setattr(cuda, "probe", lambda: NANO)

    def put(scenario: Scenario) -> Any:
        module = make_module(scenario)
        monkeypatch.setitem(sys.modules, "tensorrt", module)
        return module

    return put


def build(bundle: Path, *options: str) -> int:
    return main(["build", "--bundle", str(bundle), "--in-process", *options])


def calls(module: Any, name: str) -> list[tuple[Any, ...]]:
    return [arguments for called, arguments in module.calls if called == name]


@pytest.mark.parametrize(
    ("release", "plan", "graph", "creation_flags"),
    [
        ("8.2", PLAN, GRAPH, ["EXPLICIT_BATCH"]),
        ("8.6", PLAN._replace(tensorrt="8.5.2"), GRAPH, ["EXPLICIT_BATCH"]),
        ("10.3", PLAN._replace(tensorrt="10.3"), GRAPH_INT8, ["EXPLICIT_BATCH"]),
        ("10.3", STRONG, GraphPlan(""), ["EXPLICIT_BATCH", "STRONGLY_TYPED"]),
        ("11.4", ELEVEN, GraphPlan(""), ["STRONGLY_TYPED"]),
    ],
)
def test_every_dialect_builds(
    release: str,
    plan: BuildPlan,
    graph: GraphPlan,
    creation_flags: list[str],
    insert: Insert,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle = write_trt_bundle(tmp_path / "b", plan, graph)
    trt = insert(Scenario(release))
    assert build(bundle) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == KEYS
    assert set(read_engines(str(bundle))) == set(KEYS)

    known = trt.NetworkDefinitionCreationFlag
    bits = sum(1 << int(getattr(known, name)) for name in creation_flags)
    assert set(calls(trt, "Builder.create_network")) == {(bits,)}
    size = 512 << 20
    if release == "8.2":
        assert set(calls(trt, "IBuilderConfig.max_workspace_size")) == {(size,)}
    else:
        assert {limit for _, limit in calls(trt, "IBuilderConfig.set_memory_pool_limit")} == {size}
    set_flags = [f"BuilderFlag.{name}" for name in graph.flags]
    assert [flag.name for (flag,) in calls(trt, "IBuilderConfig.set_flag")] == set_flags * len(KEYS)


def test_what_is_built_is_not_built_again(
    insert: Insert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    insert(Scenario())
    assert build(bundle, "--only", KEYS[0]) == 0
    before = read_engines(str(bundle))
    assert list(before) == [KEYS[0]]
    trt = insert(Scenario())
    capsys.readouterr()
    assert build(bundle) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{KEYS[0]:<22} built already"
    assert not any("already" in line for line in lines[1:])
    assert len(calls(trt, "Builder.build_serialized_network")) == len(KEYS) - 1
    assert read_engines(str(bundle))[KEYS[0]] == before[KEYS[0]]

    trt = insert(Scenario())
    assert build(bundle, "--force", "--only", KEYS[0]) == 0
    assert len(calls(trt, "Builder.build_serialized_network")) == 1


@pytest.mark.parametrize("spoil", ["graph", "engine", "missing", "tensorrt", "device"])
def test_a_stale_engine_is_built_again(
    spoil: str, insert: Insert, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    insert(Scenario())
    assert build(bundle) == 0
    engine = bundle / "engines" / f"{KEYS[1]}.engine"
    release, rebuilt = "8.2", 1
    if spoil == "graph":
        with (bundle / "graphs" / f"{KEYS[1]}.onnx").open("ab") as stream:
            stream.write(b"\x08\x09")  # a field again, which changes nothing
        write_manifest(bundle)
    elif spoil == "engine":
        engine.write_bytes(b"x" * engine.stat().st_size)
    elif spoil == "missing":
        engine.unlink()
    elif spoil == "tensorrt":
        release, rebuilt = "8.6", len(KEYS)
    else:
        monkeypatch.setattr(cuda, "probe", lambda: NANO._replace(name="Other"))
        rebuilt = len(KEYS)
    trt = insert(Scenario(release))
    assert build(bundle) == 0
    assert len(calls(trt, "Builder.build_serialized_network")) == rebuilt
    manifest, plan = opened(bundle)
    for key in KEYS:
        find_engine(str(bundle), manifest, plan, key, VERSIONS[release], cuda.probe())


def test_rungs_and_workspace_can_be_chosen(
    insert: Insert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    trt = insert(Scenario())
    assert build(bundle, "--rungs", "240", "--workspace-mb", "64") == 0
    built = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert built == [*KEYS[:3], "memory_select"]
    assert set(calls(trt, "IBuilderConfig.max_workspace_size")) == {(64 << 20,)}
    # A smaller workspace gives an engine of the same graph, which is not stale.
    manifest, plan = opened(bundle)
    find_engine(str(bundle), manifest, plan, KEYS[0], VERSIONS["8.2"], NANO)


def test_ctrl_c_leaves_what_is_done(
    insert: Insert,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    trt = insert(Scenario())
    original = double._Builder.do_build_serialized_network

    def interrupt(self: Any, network: Any, config: Any) -> Any:
        if len(calls(trt, "Builder.build_serialized_network")) == 3:
            raise KeyboardInterrupt
        return original(self, network, config)

    monkeypatch.setattr(double._Builder, "do_build_serialized_network", interrupt)
    assert build(bundle) == 130
    assert "interrupted" in capsys.readouterr().err
    assert sorted(read_engines(str(bundle))) == sorted(KEYS[:2])
    assert not list((bundle / "engines").glob("*.partial-*"))


def test_left_over_pieces_are_removed(insert: Insert, tmp_path: Path) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    insert(Scenario())
    (bundle / "engines").mkdir()
    piece = bundle / "engines" / "mask_decoder@240.engine.partial-77"
    piece.write_bytes(b"half")
    assert build(bundle) == 0
    assert not piece.exists()


PINNED = GRAPH._replace(fp32_nodes=("/Softmax", "/Add"))
LAYERS = (
    Layer("/Softmax", "/Softmax", ("FLOAT", "INT32")),
    Layer("/Softmax_7", "/Softmax"),  # a second layer of the same node
    Layer("/Add", "/Add", ("FLOAT",), typed=(0,)),  # the parser knows better
    Layer("/Add_1", "/Add_1"),  # a node of its own
    Layer("/Add_9", "/Add", ("INT32",)),
    Layer("/Softmax_8", "/Softmax", ("FLOAT",), inputs=0),  # a constant
    Layer("(Unnamed Layer* 3) [Shuffle]"),
)


@pytest.mark.parametrize("release", ["8.2", "8.6", "10.3"])
def test_nodes_are_pinned_to_fp32(release: str, insert: Insert, tmp_path: Path) -> None:
    version = VERSIONS[release]
    bundle = write_trt_bundle(tmp_path / "b", PLAN._replace(tensorrt=version), PINNED)
    trt = insert(Scenario(release, LAYERS))
    assert build(bundle, "--only", "memory_select") == 0
    flags = [flag.name for (flag,) in calls(trt, "IBuilderConfig.set_flag")]
    assert flags == ["BuilderFlag.FP16", "BuilderFlag.OBEY_PRECISION_CONSTRAINTS"]
    float32 = trt.DataType.FLOAT
    assert calls(trt, "ILayer.precision") == [(float32,)] * 2
    assert calls(trt, "ILayer.set_output_type") == [(0, float32)] * 2


def test_a_lost_pin_is_told(
    insert: Insert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_trt_bundle(tmp_path / "b", graph=PINNED)
    insert(Scenario(layers=LAYERS[:2]))
    assert build(bundle, "--only", "memory_select") == 0
    assert "no layer of 1 of the 2 nodes that stay in FP32 (/Add)" in capsys.readouterr().err


def test_scales_come_from_the_cache(insert: Insert, tmp_path: Path) -> None:
    bundle = write_trt_bundle(tmp_path / "b", graph=GraphPlan("", ("FP16", "INT8"), (), "c.cache"))
    trt = insert(Scenario())
    assert build(bundle) == 0
    ((calibrator,), *_) = calls(trt, "IBuilderConfig.int8_calibrator")
    assert calibrator.read_calibration_cache() == b"TRT-8201-EntropyCalibration2\n"
    assert not calibrator.asked_for_images


def test_the_timing_cache_goes_from_graph_to_graph(insert: Insert, tmp_path: Path) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    trt = insert(Scenario())
    assert build(bundle) == 0
    given = [content for (content,) in calls(trt, "IBuilderConfig.create_timing_cache")]
    assert given == [b"k" * n for n in range(len(KEYS))]  # one kernel is measured for each graph
    trt = insert(Scenario())
    assert build(bundle, "--force", "--only", KEYS[0]) == 0
    assert calls(trt, "IBuilderConfig.create_timing_cache") == [(b"k" * len(KEYS),)]


def test_a_timing_cache_of_another_tensorrt_is_not_shown(insert: Insert, tmp_path: Path) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    insert(Scenario())
    assert build(bundle) == 0
    trt = insert(Scenario("8.6"))
    assert build(bundle, "--only", KEYS[0]) == 0
    assert calls(trt, "IBuilderConfig.create_timing_cache") == [(b"",)]


@pytest.mark.parametrize("damage", [b"", b"random bytes", None])
def test_a_damaged_timing_cache_is_set_aside(
    damage: bytes | None, insert: Insert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    insert(Scenario())
    assert build(bundle, "--only", KEYS[0]) == 0
    cache = bundle / "engines" / TIMING_CACHE_FILE
    damaged = cache.read_bytes()[:-1] + b"?" if damage is None else damage
    cache.write_bytes(damaged)
    trt = insert(Scenario())
    assert build(bundle) == 0
    error = capsys.readouterr().err
    assert error.count("the timing cache is damaged") == 1
    assert (bundle / "engines" / (TIMING_CACHE_FILE + SET_ASIDE_SUFFIX)).read_bytes() == damaged
    assert calls(trt, "IBuilderConfig.create_timing_cache")[0] == (b"",)
    assert set(read_engines(str(bundle))) == set(KEYS)


@pytest.mark.parametrize("answer", ["unreadable", "other"])
def test_a_timing_cache_that_tensorrt_refuses(
    answer: str, insert: Insert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    insert(Scenario())
    assert build(bundle, "--only", KEYS[0]) == 0
    insert(Scenario(timing_cache=answer))
    assert build(bundle, "--only", KEYS[1]) == 0
    assert "TensorRT refused the timing cache; a new one is begun" in capsys.readouterr().err


OUT_OF_MEMORY = (("WARNING", "slow"), ("ERROR", "Cuda Runtime (out of memory)"))


@pytest.mark.parametrize(
    ("scenario", "found"),
    [
        (Scenario(logs=OUT_OF_MEMORY, builds=False), ("out of memory", "sudo systemctl isolate")),
        (Scenario(raises="std::bad_alloc"), ("bad_alloc", "--workspace-mb a smaller number")),
        (
            Scenario(logs=(("ERROR", "Try increasing the workspace size"),), builds=False),
            ("--workspace-mb a larger number",),
        ),
        (Scenario(builds=False), ("it logged no reason", "--verbose")),
        (Scenario(builder=False), ("nullptr", "--verbose")),
        (
            Scenario(parser_errors=((3, "Mod", "/Mod", "No importer\n for op"),)),
            ("node 3: No importer for op", "export the bundle again"),
        ),
        (
            Scenario(parser_errors=((-1, "", "", "no such weights"),)),
            ("does not take the graph: no such weights; export",),
        ),
        (
            Scenario("8.6", parser_errors=((3, "Mod", "/Mod", "reason"),) * 5),
            ("node 3: reason; node 3: reason; node 3: reason; export",),
        ),
    ],
)
def test_a_graph_that_cannot_be_built_is_named(
    scenario: Scenario,
    found: tuple[str, ...],
    insert: Insert,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    insert(scenario)
    assert build(bundle, "--only", KEYS[0]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {KEYS[0]}: ")
    assert len(error.splitlines()) == 1
    for text in (*found, VERSIONS[scenario.release]):
        assert text in error
    assert read_engines(str(bundle)) == {}


def test_newer_parsers_name_the_node(
    insert: Insert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_trt_bundle(tmp_path / "b", STRONG, GraphPlan(""))
    insert(Scenario("10.3", parser_errors=((3, "Mod", "/rem/Mod", "no importer"),)))
    assert build(bundle) == 1
    assert "node 3 (Mod /rem/Mod): no importer" in capsys.readouterr().err


def test_warnings_are_shown_when_asked_for(
    insert: Insert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    insert(Scenario(logs=(("WARNING", "slow"), ("INFO", "chatter"))))
    assert build(bundle, "--only", KEYS[0]) == 0
    assert capsys.readouterr().err == ""
    assert build(bundle, "--only", KEYS[1], "--verbose") == 0
    assert capsys.readouterr().err == "warning: TensorRT: slow\n"


@pytest.mark.parametrize(
    ("plan", "graph", "release", "message"),
    [
        # FP16 of a weakly typed plan, calibrators: TensorRT 11 has neither.
        (ELEVEN._replace(strongly_typed=False), GRAPH, "11.4", "not the builder flag FP16"),
        (ELEVEN, GraphPlan("", (), (), "c.cache"), "11.4", "takes no calibration cache"),
        (PLAN._replace(strongly_typed=True), GraphPlan(""), "8.2", "not strongly typed networks"),
    ],
)
def test_what_a_release_lacks_is_said(
    plan: BuildPlan,
    graph: GraphPlan,
    release: str,
    message: str,
    insert: Insert,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle = write_trt_bundle(tmp_path / "b", plan, graph)
    insert(Scenario(release))
    assert build(bundle) == 1
    assert message in capsys.readouterr().err


def test_a_refused_calibration_cache_is_said(
    insert: Insert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_trt_bundle(tmp_path / "b", graph=GraphPlan("", ("INT8",), (), "c.cache"))
    insert(Scenario(takes_cache=False))
    assert build(bundle) == 1
    assert "it did not take the calibration cache" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wanted", "release", "message"),
    [
        ("8.2.1", "10.3", "8.2.1, and here is 10.3.0; export the bundle again with --target"),
        ("8.5.2", "8.2", "--target jetson-nano --jetpack 4.6.6"),
        ("11.4.1", "10.3", "--jetpack 6.2.2"),
        ("10.3.0", "11.4", "--target jetson-agx-orin --jetpack 7.2.2 --tensorrt 11.4.1"),
        ("10.3.0", "8.6", "--target jetson-xavier-nx --jetpack 5.1.6 --tensorrt 8.6.0"),
        ("8.2.0", "8.2", ""),
        ("8.2.9", "8.2", ""),
        ("8.2.1", "8.6", ""),
    ],
)
def test_another_generation_of_tensorrt_is_refused(
    wanted: str,
    release: str,
    message: str,
    insert: Insert,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle = write_trt_bundle(tmp_path / "b", PLAN._replace(tensorrt=wanted))
    trt = insert(Scenario(release))
    assert build(bundle) == (1 if message else 0)
    error = capsys.readouterr().err
    assert message in error
    assert bool(error) == bool(message)
    assert bool(calls(trt, "Builder.create_network")) == (not message)


def test_without_a_gpu_tensorrt_is_not_imported(
    insert: Insert,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> CudaDevice:
        raise SessionError("there is no GPU; get one")

    insert(Scenario())
    monkeypatch.setattr(cuda, "probe", fail)
    monkeypatch.delitem(sys.modules, "tensorrt")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "tensorrt.py").write_text("open('imported', 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    assert build(write_trt_bundle(tmp_path / "b")) == 1
    assert capsys.readouterr().err == "error: there is no GPU; get one\n"
    assert not (tmp_path / "imported").exists()


def test_without_tensorrt_the_remedy_is_said(
    insert: Insert,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    insert(Scenario())
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert build(write_trt_bundle(tmp_path / "b")) == 1
    assert "sudo apt install python3-libnvinfer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--only", "mask_decoder@241"], 2, "unknown graph 'mask_decoder@241'; known: image_"),
        (["--rungs", "250"], 2, "unknown rung 250; known: 240, 336"),
        (["--rungs", "many"], 2, "'many' is not a whole number from 1 on"),
        (["--workspace-mb", "0"], 2, "'0' is not a whole number from 1 on"),
    ],
)
def test_a_wrong_argument_is_one_sentence(
    options: list[str],
    code: int,
    message: str,
    insert: Insert,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    insert(Scenario())
    assert build(write_trt_bundle(tmp_path / "b"), *options) == code
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("name", ["plan.json", f"graphs/{KEYS[0]}.onnx", "graphs/weights.bin"])
@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_file_is_named(
    name: str, damage: str, insert: Insert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    insert(Scenario())
    if damage == "missing":
        (bundle / name).unlink()
    else:
        (bundle / name).write_bytes((bundle / name).read_bytes() + b"\n")
    assert build(bundle) == 1
    error = capsys.readouterr().err
    assert name in error
    assert "copy the bundle again" in error


def test_a_bundle_for_onnxruntime_needs_no_engines(
    device_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(device_bundle) == 2
    assert "made for backend 'ort', which needs no engines" in capsys.readouterr().err


def test_unreadable_engines_json_needs_force(
    insert: Insert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    insert(Scenario())
    assert build(bundle) == 0
    (bundle / "engines" / "engines.json").write_text("{")
    assert build(bundle) == 1
    assert "build --force" in capsys.readouterr().err
    assert build(bundle, "--force") == 0
    assert set(read_engines(str(bundle))) == set(KEYS)


def test_a_place_that_cannot_be_written_is_told_first(
    insert: Insert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    (bundle / "engines").write_text("in the way")
    trt = insert(Scenario())
    assert build(bundle) == 1
    assert f"cannot write to {bundle}/engines" in capsys.readouterr().err
    assert not calls(trt, "Builder.build_serialized_network")


def test_a_full_disk_is_told(
    insert: Insert,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(path: str, content: object) -> None:
        raise OSError(28, "No space left on device", path)

    bundle = write_trt_bundle(tmp_path / "b")
    insert(Scenario())
    monkeypatch.setattr(graph_build, "write_atomically", fail)
    assert build(bundle) == 1
    error = capsys.readouterr().err
    assert f"error: {KEYS[0]}: cannot write {bundle}/engines: No space left on device" in error


def test_an_exported_bundle_builds_with_its_pins(
    nano_bundle: Path, insert: Insert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "b"
    shutil.copytree(nano_bundle, bundle)
    plan = read_plan(str(bundle))
    decoder = plan.graphs["mask_decoder@240"]
    nodes = onnx.load(bundle / decoder.onnx, load_external_data=False).graph.node
    layers = tuple(Layer(node.name) for node in nodes)
    trt = insert(Scenario("8.2", layers))
    assert build(bundle, "--only", "mask_decoder@240") == 0
    assert "made no layer" not in capsys.readouterr().err
    pinned = calls(trt, "ILayer.precision")
    assert len(pinned) == len(decoder.fp32_nodes) > 0
    assert {kind.name for (kind,) in pinned} == {"DataType.FLOAT"}
    manifest = open_bundle(str(bundle)).manifest
    found = find_engine(str(bundle), manifest, plan, "mask_decoder@240", trt.__version__, NANO)
    assert Path(found).is_file()
    assert build(bundle) == 0
    assert set(read_engines(str(bundle))) == set(plan.graphs)


@pytest.mark.parametrize("options", [["--only", "foo"], ["--rungs", "300"]])
def test_a_wrong_argument_is_told_before_the_gpu_is_looked_for(
    options: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> CudaDevice:
        raise SessionError("there is no GPU; get one")

    monkeypatch.setattr(cuda, "probe", fail)
    bundle = write_trt_bundle(tmp_path / "b")
    assert build(bundle, *options) == 2
    assert options[1] in capsys.readouterr().err
    assert build(bundle) == 1
    assert "there is no GPU" in capsys.readouterr().err


def test_a_graph_of_another_rung_is_a_contradiction(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    rungs = {key: key.partition("@")[2] for key in KEYS if "@" in key}
    key, rung = next(
        (key, other) for key in rungs for other in rungs.values() if other != rungs[key]
    )
    assert build(bundle, "--only", key, "--rungs", rung) == 2
    assert "have no graph in common" in capsys.readouterr().err


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("options", [[], ["--force"]])
def test_nothing_is_written_or_removed_over_a_link(
    options: list[str], insert: Insert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.engine.partial-1").write_bytes(b"theirs")
    (outside / "engines.json").write_bytes(b"{")
    (bundle / "engines").symlink_to(outside)
    insert(Scenario())
    before = tree(outside)
    assert build(bundle, *options) == 1
    assert "'engines' is a link, which could lead anywhere" in capsys.readouterr().err
    assert tree(outside) == before


def replan(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the plan, and let its hash fit."""
    path = bundle / "plan.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    write_manifest(bundle)


@pytest.mark.parametrize("key", ["../../../outside", "/tmp/outside", "image_encoder@999", "other"])
def test_only_the_manifests_graphs_are_built(
    key: str, insert: Insert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    replan(bundle, lambda data: data["graphs"].update({key: data["graphs"]["memory_select"]}))
    trt = insert(Scenario())
    before = tree(tmp_path)
    assert build(bundle) == 1
    assert "graph" in capsys.readouterr().err
    assert tree(tmp_path) == before
    assert not calls(trt, "Builder.create_network")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("onnx", "../outside.onnx"),
        ("onnx", "/etc/hostname"),
        ("calibration_cache", "../../x"),
        ("flags", ["SAFETY_SCOPE"]),
        ("fp32_nodes", "abc"),
    ],
)
def test_a_plan_names_listed_files_and_known_flags(
    field: str, value: object, insert: Insert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    replan(bundle, lambda data: data["graphs"][KEYS[0]].update({field: value}))
    trt = insert(Scenario())
    assert build(bundle) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert not calls(trt, "Builder.create_network")


def test_weights_that_are_not_listed_reach_no_parser(
    insert: Insert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    path = bundle / "graphs" / f"{KEYS[0]}.onnx"
    model = onnx.load(path)
    tensor = model.graph.initializer.add(name="w", data_type=1, dims=[1], data_location=1)
    tensor.external_data.add(key="location", value="/etc/hostname")
    path.write_bytes(model.SerializeToString())
    write_manifest(bundle)
    trt = insert(Scenario())
    assert build(bundle) == 1
    assert "weights in '/etc/hostname', which the manifest does not" in capsys.readouterr().err
    assert not calls(trt, "Builder.create_network")


def test_a_timing_cache_of_somebody_else_is_not_shown(
    insert: Insert,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    insert(Scenario())
    assert build(bundle, "--only", KEYS[0]) == 0
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "another"))
    trt = insert(Scenario())
    capsys.readouterr()
    assert build(bundle, "--only", KEYS[0]) == 0
    assert "it is not as this user wrote it on this machine" in capsys.readouterr().err
    assert len(calls(trt, "Builder.build_serialized_network")) == 1, "nor is the engine theirs"
    assert calls(trt, "IBuilderConfig.create_timing_cache")[0] == (b"",)


def test_without_a_place_for_the_secret_nothing_is_built(
    insert: Insert,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    (tmp_path / "config" / "sam2lite").mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def refuse(source: str, target: str) -> None:
        raise PermissionError(1, "not here", target)

    monkeypatch.setattr(os, "link", refuse)
    trt = insert(Scenario())
    assert build(bundle) == 1
    assert "set XDG_CONFIG_HOME to a folder that you may write to" in capsys.readouterr().err
    assert not calls(trt, "Builder.create_network")
    assert not list((tmp_path / "config" / "sam2lite").iterdir())
