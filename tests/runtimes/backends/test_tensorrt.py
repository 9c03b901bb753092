"""Sessions over doubles of CUDA and TensorRT, in both dialects of TensorRT's runtime."""

import atexit
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.errors import SessionError
from sam2lite.runtimes.backends.tensorrt import runtime as trt_runtime
from sam2lite.runtimes.backends.tensorrt import session as trt
from sam2lite.runtimes.backends.tensorrt.cuda import CudaDevice
from sam2lite.runtimes.backends.tensorrt.replay import MAX_GRAPHS
from sam2lite.runtimes.backends.tensorrt.runtime import TrtRuntime, shared_runtime
from sam2lite.runtimes.backends.tensorrt.session import TrtSession
from tests.doubles.cuda import Copy, FakeCuda
from tests.doubles.tensorrt_runtime import (
    BINDINGS,
    NAMED,
    Arrays,
    FakeTensorrt,
    Graph,
    Tensor,
    recorded,
)

SPEC = GraphSpec(
    "toy",
    inputs=(TensorSpec("x_bc", "float32", (2, 3)), TensorSpec("n_b", "int32", (4,))),
    outputs=(TensorSpec("y_bc", "float32", (2, 3)), TensorSpec("m_b", "int32", (4,))),
)
TENSORS = (
    Tensor("n_b", True, "INT32", (4,)),  # an engine may have another order than the spec
    Tensor("x_bc", True, "FLOAT", (2, 3)),
    Tensor("y_bc", False, "FLOAT", (2, 3)),
    Tensor("m_b", False, "INT32", (4,)),
)
X_BYTES, N_BYTES = 24, 16


def toy(inputs: Arrays) -> Arrays:
    return {"y_bc": inputs["x_bc"] + 1, "m_b": inputs["n_b"] * 2}


def inputs(value: float) -> dict[str, Any]:
    return {"x_bc": np.full((2, 3), value, np.float32), "n_b": np.arange(4, dtype=np.int32)}


class Lab:
    """A fake device and TensorRT, the runtime over them, and the engine file of the toy graph."""

    def __init__(self, folder: Path, version: str, graphs: bool = True) -> None:
        self.cuda = FakeCuda()
        self.tensorrt = FakeTensorrt(self.cuda, version)
        self.runtime = TrtRuntime(self.tensorrt, self.cuda, graphs)
        self.path = folder / "toy.engine"
        self.path.write_bytes(self.tensorrt._register("toy", Graph(TENSORS, toy)))

    def open(self) -> TrtSession:
        return TrtSession(SPEC, str(self.path), self.runtime)


@pytest.fixture(params=[BINDINGS, NAMED])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path, request.param)
    yield made
    assert not made.cuda.violations


def test_outputs_are_those_of_the_engine(lab: Lab) -> None:
    with lab.open() as session:
        for value in (1.0, 2.0, 3.0):
            outputs = session.run(inputs(value))
            assert list(outputs) == ["y_bc", "m_b"]
            np.testing.assert_array_equal(
                session.numpy(outputs["y_bc"]), np.full((2, 3), value + 1)
            )
            np.testing.assert_array_equal(session.numpy(outputs["m_b"]), [0, 2, 4, 6])
            assert session.numpy(outputs["m_b"]).dtype == np.int32


def test_a_handle_goes_from_session_to_session_on_the_device(lab: Lab) -> None:
    with lab.open() as first, lab.open() as second:
        x_bc = first.run(inputs(5))["y_bc"]
        lab.cuda.copies.clear()
        for _ in range(10):
            x_bc = second.run(dict(inputs(0), x_bc=x_bc))["y_bc"]
        assert set(lab.cuda.copies) == {Copy(True, N_BYTES)}
        assert second.numpy(x_bc)[0, 0] == 16


def test_an_array_may_change_as_soon_as_run_returns(lab: Lab) -> None:
    with lab.open() as session:
        taken = inputs(1)
        outputs = []
        for value in (10, 20, 30):
            taken["x_bc"][:] = value
            outputs.append(session.run(taken)["y_bc"])
        taken["x_bc"][:] = -1
        assert [session.numpy(handle)[0, 0] for handle in outputs] == [11, 21, 31]


def test_an_array_with_gaps_is_taken_as_it_looks(lab: Lab) -> None:
    x_bc = np.arange(12, dtype=np.float32).reshape(2, 6)[:, ::2]
    with lab.open() as session:
        y_bc = session.numpy(session.run(dict(inputs(0), x_bc=x_bc))["y_bc"])
    np.testing.assert_array_equal(y_bc, x_bc + 1)


def test_a_handle_that_is_held_stays_as_it_is(lab: Lab) -> None:
    with lab.open() as session:
        held = session.run(inputs(7))["y_bc"]
        for value in range(20):
            session.run(inputs(value))
        assert session.numpy(held)[0, 0] == 8


def test_a_handle_comes_to_the_host_once(lab: Lab) -> None:
    with lab.open() as session:
        handle = session.run(inputs(1))["y_bc"]
        session.numpy(handle)[0, 0] = 99
        assert session.numpy(handle)[0, 0] == 99
        assert lab.cuda.copies.count(Copy(False, X_BYTES)) == 1


def test_memory_does_not_grow_with_runs(lab: Lab) -> None:
    with lab.open() as session:
        session.run(inputs(0))
        used, allocations = lab.cuda.used_bytes, lab.cuda.allocations
        for value in range(50):
            session.run(inputs(value))
        assert (lab.cuda.used_bytes, lab.cuda.allocations) == (used, allocations)


def test_closing_gives_everything_back_and_handles_go_when_they_are_forgotten(lab: Lab) -> None:
    session = lab.open()
    held = session.run(inputs(7))["y_bc"]
    for value in range(4):
        session.run(inputs(value))
    assert lab.cuda.launches > 0
    session.close()
    session.close()
    assert lab.cuda.used_bytes == X_BYTES
    with lab.open() as other:
        assert other.numpy(held)[0, 0] == 8
    del held
    lab.runtime.close()
    assert lab.cuda.nothing_left()


def test_the_end_of_the_process_closes_what_was_left_open(lab: Lab) -> None:
    session = lab.open()
    held = session.run(inputs(7))["y_bc"]
    lab.runtime.close()
    assert lab.cuda.nothing_left()
    with pytest.raises(SessionError, match="session is closed"):
        session.run(inputs(0))
    with pytest.raises(SessionError, match="shut down"):
        session.numpy(held)
    del held, session
    gc.collect()
    lab.runtime.close()


def test_a_forked_process_is_told_and_frees_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = lab.open()
    held = session.run(inputs(7))["y_bc"]
    used = lab.cuda.used_bytes
    with monkeypatch.context() as child:
        parent = os.getpid()
        child.setattr(os, "getpid", lambda: parent + 1)
        with pytest.raises(SessionError, match=r"forked.*'spawn'"):
            session.run(inputs(0))
        with pytest.raises(SessionError, match="forked"):
            session.numpy(held)
        session.close()
        del session
        lab.runtime.close()
    assert lab.cuda.used_bytes == used


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((2, 3), np.float64), r"x_bc must be float32 \[2, 3\]; got float64 \[2, 3\]"),
        (np.zeros((3, 2), np.float32), r"x_bc must be float32 \[2, 3\]; got float32 \[3, 2\]"),
        ([[0.0] * 3] * 2, r"toy takes arrays and what TensorRT sessions give; got list"),
    ],
)
def test_wrong_inputs_are_refused(lab: Lab, bad: Any, message: str) -> None:
    with lab.open() as session, pytest.raises(SessionError, match=message):
        session.run(dict(inputs(0), x_bc=bad))


def test_a_handle_of_another_type_is_refused(lab: Lab) -> None:
    with lab.open() as session:
        handle = session.run(inputs(0))["m_b"]
        with pytest.raises(SessionError, match=r"x_bc must be .*got int32 \[4\]"):
            session.run(dict(inputs(0), x_bc=handle))


@pytest.mark.parametrize(
    ("index", "tensor", "message"),
    [
        (1, Tensor("x_bc", True, "HALF", (2, 3)), r"input x_bc float16 .*takes the input x_bc fl"),
        (2, Tensor("y_bc", False, "FLOAT", (2, 4)), r"output y_bc float32 \[2, 4\].*\[2, 3\]"),
        (2, Tensor("z_bc", False, "FLOAT", (2, 3)), r"has no y_bc, toy takes the output y_bc"),
        (3, Tensor("m_b", True, "INT32", (4,)), r"has the input m_b .*takes the output m_b"),
        (3, Tensor("m_b", False, "BF16", (4,)), r"output m_b BF16"),
    ],
)
def test_an_engine_of_another_graph_is_refused(
    lab: Lab, index: int, tensor: Tensor, message: str
) -> None:
    tensors = list(TENSORS)
    tensors[index] = tensor
    lab.tensorrt._register("toy", Graph(tensors, toy))
    with pytest.raises(SessionError, match=rf"(?s){message}.*device\.pyz build"):
        lab.open()


def test_an_engine_with_a_tensor_too_many_is_refused(lab: Lab) -> None:
    more = (*TENSORS, Tensor("more_b", True, "FLOAT", (1,)))
    lab.tensorrt._register("toy", Graph(more, toy))
    with pytest.raises(SessionError, match=r"has the input more_b .*takes no more_b"):
        lab.open()


def test_an_engine_of_another_version_is_refused_with_the_reason_of_tensorrt(lab: Lab) -> None:
    lab.path.write_bytes(b"\x00ftrt engine of another device")
    with pytest.raises(SessionError, match=r"another device .*Serialization.*device\.pyz build"):
        lab.open()


def test_a_missing_engine_is_named(lab: Lab) -> None:
    lab.path.unlink()
    with pytest.raises(SessionError, match=r"no engine at .*toy\.engine .*device\.pyz build"):
        lab.open()


def test_no_memory_for_a_context_is_said(lab: Lab) -> None:
    lab.tensorrt._no_context = True
    with pytest.raises(SessionError, match=r"no device memory .*smaller rung"):
        lab.open()


def test_no_memory_for_tensors_is_said_with_what_is_free(lab: Lab) -> None:
    with lab.open() as session:
        session.run(inputs(1))
        lab.cuda.limit_bytes = lab.cuda.used_bytes + X_BYTES + N_BYTES
        held = [session.run(inputs(2))]
        held.append(session.run(inputs(3)))
        with pytest.raises(SessionError, match=r"device memory more .*out of memory.*0 of 0 MB"):
            session.run(inputs(4))
        del held[0]
        assert session.numpy(session.run(inputs(4))["y_bc"])[0, 0] == 5


def test_a_run_that_tensorrt_refuses_is_an_error_with_its_reason(lab: Lab) -> None:
    with lab.open() as session:
        lab.tensorrt._refuses = True
        with pytest.raises(SessionError, match=r"failed in toy \(TensorRT: Cask"):
            session.run(inputs(0))
        lab.tensorrt._refuses = False
        assert session.numpy(session.run(inputs(0))["y_bc"])[0, 0] == 1


def test_a_device_that_fails_is_an_error_and_can_still_be_closed(lab: Lab) -> None:
    with lab.open() as session:
        handle = session.run(inputs(0))["y_bc"]
        lab.cuda.fails_with = "an illegal memory access was encountered (CUDA error 700)"
        with pytest.raises(SessionError, match="illegal memory access"):
            session.numpy(handle)
    lab.runtime.close()


def test_addresses_that_come_again_are_captured_and_replayed(lab: Lab) -> None:
    with lab.open() as session:
        for value in range(6):
            assert session.numpy(session.run(inputs(value))["y_bc"])[0, 0] == value + 1
        assert session.replay.off_because is None  # type: ignore[attr-defined]
        assert (len(lab.cuda.graphs), lab.cuda.launches) == (1, 5)
        first, second = (session.run(inputs(value)) for value in (1, 2))
        assert session.numpy(second["y_bc"])[0, 0] == 3  # other buffers, another graph or none
        assert session.numpy(first["y_bc"])[0, 0] == 2
    assert not lab.cuda.graphs


def test_the_number_of_graphs_is_bounded(lab: Lab) -> None:
    with lab.open() as session:
        for _ in range(3):
            held = [session.run(inputs(value)) for value in range(MAX_GRAPHS + 4)]
            values = [session.numpy(outputs["y_bc"])[0, 0] for outputs in held]
            assert values == [value + 1.0 for value in range(MAX_GRAPHS + 4)]
            while held:
                held.pop()  # so that the buffers are taken in the same order again
        assert len(lab.cuda.graphs) == MAX_GRAPHS


def test_a_device_that_captures_nothing_runs_all_the_same(lab: Lab) -> None:
    lab.cuda.capture_error = "operation not permitted when stream is capturing (CUDA error 900)"
    with lab.open() as session:
        for value in range(4):
            assert session.numpy(session.run(inputs(value))["y_bc"])[0, 0] == value + 1
        assert "CUDA error 900" in str(session.replay.off_because)  # type: ignore[attr-defined]
    assert (lab.cuda.launches, lab.cuda.graphs) == (0, {})


def test_an_engine_that_cannot_be_captured_runs_all_the_same(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(stream: int) -> None:
        FakeCuda.begin_capture(lab.cuda, stream)
        lab.tensorrt._refuses = True

    def allow(stream: int) -> int:
        lab.tensorrt._refuses = False
        return FakeCuda.end_capture(lab.cuda, stream)

    monkeypatch.setattr(lab.cuda, "begin_capture", refuse)
    monkeypatch.setattr(lab.cuda, "end_capture", allow)
    with lab.open() as session:
        for value in range(4):
            assert session.numpy(session.run(inputs(value))["y_bc"])[0, 0] == value + 1
        assert "Cask" in str(session.replay.off_because)  # type: ignore[attr-defined]
    assert (lab.cuda.launches, lab.cuda.graphs) == (0, {})


def test_a_handle_forgotten_during_a_capture_is_freed_after_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = lab.open()
    held = closed.run(inputs(1))
    closed.close()

    def begin(stream: int) -> None:
        FakeCuda.begin_capture(lab.cuda, stream)
        held.clear()

    with lab.open() as session:
        session.run(inputs(1))
        used = lab.cuda.used_bytes
        monkeypatch.setattr(lab.cuda, "begin_capture", begin)
        session.run(inputs(2))
        assert session.replay.off_because is None  # type: ignore[attr-defined]
        assert lab.cuda.used_bytes == used - X_BYTES - N_BYTES


def test_graphs_can_be_turned_off(tmp_path: Path) -> None:
    lab = Lab(tmp_path, NAMED, graphs=False)
    with lab.open() as session:
        for value in range(4):
            session.run(inputs(value))
    assert lab.cuda.launches == 0


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> FakeTensorrt:
    """A machine with a device and a TensorRT, before anybody has used them."""
    fake = FakeCuda()
    module = FakeTensorrt(fake)
    device = CudaDevice("NVIDIA Tegra X1", "5.3", 4 << 30)
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    monkeypatch.setattr(trt_runtime, "_shared", None)
    monkeypatch.setattr(trt_runtime, "open_cuda", lambda: fake)
    monkeypatch.setattr(trt_runtime, "probe", lambda: device)
    monkeypatch.setattr(trt, "probe", lambda: device)
    return module


def test_a_process_has_one_runtime_which_ends_with_it(
    board: FakeTensorrt, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_exit: list[Any] = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    runtime = shared_runtime()
    assert shared_runtime() is runtime
    assert runtime.graphs
    (end,) = at_exit
    end()
    assert board._cuda.nothing_left()


def test_the_environment_turns_graphs_off(
    board: FakeTensorrt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atexit, "register", lambda function: None)
    monkeypatch.setenv("SAM2LITE_CUDA_GRAPHS", "0")
    assert not shared_runtime().graphs


def test_an_available_tensorrt_says_which_and_where(board: FakeTensorrt) -> None:
    assert trt.is_available() == (
        True,
        "tensorrt 8.2.1 on NVIDIA Tegra X1 (compute capability 5.3)",
    )


def test_without_the_package_the_remedy_is_said(
    board: FakeTensorrt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    available, reason = trt.is_available()
    assert not available
    assert "python3-libnvinfer" in reason


def test_without_a_device_tensorrt_is_not_touched(
    board: FakeTensorrt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_device() -> CudaDevice:
        raise SessionError("there is no NVIDIA driver")

    monkeypatch.setattr(trt_runtime, "probe", no_device)
    recorded.clear()
    assert trt.is_available() == (False, "there is no NVIDIA driver")
    with pytest.raises(SessionError, match="no NVIDIA driver"):
        shared_runtime()
    assert not recorded


def test_what_is_used_of_tensorrt_is_recorded(tmp_path: Path) -> None:
    names = {}
    for version in (BINDINGS, NAMED):
        recorded.clear()
        with Lab(tmp_path, version).open() as session:
            session.run(inputs(0))
        names[version] = set(recorded)
    both = names[BINDINGS] & names[NAMED]
    assert {
        "tensorrt.Runtime.deserialize_cuda_engine",
        "tensorrt.ICudaEngine.create_execution_context",
        "tensorrt.ILogger.Severity.ERROR",
        "tensorrt.DataType.FLOAT.name",
    } <= both
    assert "tensorrt.IExecutionContext.execute_async_v2" in names[BINDINGS] - both
    assert "tensorrt.IExecutionContext.execute_async_v3" in names[NAMED] - both
