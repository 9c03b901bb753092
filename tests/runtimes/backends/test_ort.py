import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sam2lite.errors import SessionError
from sam2lite.runtimes.backends.ort import session as ort
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.session import Session


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return open_bundle(str(tiny_bundle))


@pytest.fixture
def session(bundle: Bundle) -> Iterator[Session]:
    with bundle.open_session("memory_select") as opened:
        yield opened


def zeros(session: Session) -> dict[str, np.ndarray]:
    return {
        spec.name: np.zeros([int(dim) for dim in spec.shape], spec.dtype)
        for spec in session.spec.inputs
    }


def test_outputs_are_those_of_the_spec(session: Session) -> None:
    outputs = session.run(zeros(session))
    assert list(outputs) == session.spec.output_names
    for spec in session.spec.outputs:
        array = session.numpy(outputs[spec.name])
        assert (array.dtype.name, array.shape) == (spec.dtype, spec.shape)


def test_handles_go_back_in_and_give_the_same_as_arrays(session: Session) -> None:
    rng = np.random.default_rng(0)
    inputs = {name: rng.random(array.shape, np.float32) for name, array in zeros(session).items()}
    kept = session.run(inputs)
    as_handles = dict(
        inputs, memory_key_bnc=kept["kept_key_bnc"], memory_value_bnc=kept["kept_value_bnc"]
    )
    as_arrays = dict(
        inputs,
        memory_key_bnc=session.numpy(kept["kept_key_bnc"]).copy(),
        memory_value_bnc=session.numpy(kept["kept_value_bnc"]).copy(),
    )
    for one, other in zip(
        session.run(as_handles).values(), session.run(as_arrays).values(), strict=True
    ):
        np.testing.assert_array_equal(session.numpy(one), session.numpy(other))


def test_an_array_with_gaps_is_taken_as_it_looks(session: Session) -> None:
    inputs = zeros(session)
    shape = inputs["candidate_meta_bnc"].shape
    inputs["candidate_meta_bnc"] = np.random.default_rng(0).random(shape, np.float32)
    plain = session.run(inputs)["candidate_score_bn"]
    with_gaps = np.zeros((*shape[:2], 2 * shape[2]), np.float32)[:, :, ::2]
    with_gaps[:] = inputs["candidate_meta_bnc"]
    gaps = session.run(dict(inputs, candidate_meta_bnc=with_gaps))["candidate_score_bn"]
    np.testing.assert_array_equal(session.numpy(plain), session.numpy(gaps))


def test_a_missing_and_an_unknown_input_are_named(session: Session) -> None:
    inputs = zeros(session)
    with pytest.raises(SessionError, match=r"memory_select takes .*surprise"):
        session.run(dict(inputs, surprise=np.zeros(1, np.float32)))
    del inputs["token_key_bnc"]
    with pytest.raises(SessionError, match=r"memory_select takes .*token_key_bnc"):
        session.run(inputs)


@pytest.mark.parametrize("alter", [np.float64, np.uint8])
def test_another_dtype_is_refused(session: Session, alter: type) -> None:
    inputs = zeros(session)
    inputs["token_key_bnc"] = inputs["token_key_bnc"].astype(alter)
    with pytest.raises(SessionError, match=f"token_key_bnc must be float32.*{alter.__name__}"):
        session.run(inputs)


def test_another_shape_is_refused_of_arrays_and_handles(session: Session) -> None:
    inputs = zeros(session)
    short = dict(inputs, token_key_bnc=inputs["token_key_bnc"][:, 1:])
    with pytest.raises(SessionError, match=r"token_key_bnc must be .*got float32 \[1, 31, 256\]"):
        session.run(short)
    handles = session.run(inputs)
    with pytest.raises(SessionError, match=r"token_key_bnc must be .*got int32"):
        session.run(dict(inputs, token_key_bnc=handles["kept_index_bn"]))


def test_a_closed_session_says_so(bundle: Bundle) -> None:
    session = bundle.open_session("memory_select")
    session.close()
    session.close()
    with pytest.raises(SessionError, match="closed"):
        session.run(zeros(session))


def test_an_unknown_provider_is_an_error_and_no_fallback(bundle: Bundle) -> None:
    with pytest.raises(SessionError, match=r"NoSuchProvider.*CPUExecutionProvider"):
        bundle.open_session("memory_select", provider="NoSuchProvider")


def test_a_file_that_is_no_graph_is_one_line(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "graph.onnx"
    path.write_bytes(b"not a graph")
    spec = bundle.manifest.graphs["memory_select"].spec
    with pytest.raises(SessionError, match="cannot load") as caught:
        ort.OrtSession(spec, str(path), ort.session_options(None, 1))
    assert "\n" not in str(caught.value)


def test_onnxruntime_is_available() -> None:
    available, what = ort.is_available()
    assert available
    assert what.startswith("onnxruntime 1.")


@pytest.mark.parametrize("threads", [0, -1])
def test_a_pool_without_threads_is_refused(threads: int) -> None:
    with pytest.raises(SessionError, match="at least 1"):
        ort.share_threads(threads)


def test_pools_are_private_and_do_not_spin_unless_they_are_shared() -> None:
    options = ort.session_options(None, 2)
    assert options.use_per_session_threads
    assert options.intra_op_num_threads == 2
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert ort.session_options(3, 2).intra_op_num_threads == 3


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_shared_pool_serves_sessions_and_cannot_change_its_size(tiny_bundle: Path) -> None:
    done = run_python(
        "from sam2lite.runtimes.bundle import open_bundle\n"
        "from sam2lite.runtimes.backends.ort.session import session_options, share_threads\n"
        "share_threads(1)\n"
        "share_threads(1)\n"
        "print(session_options(None, 4).use_per_session_threads)\n"
        f"bundle = open_bundle({str(tiny_bundle)!r})\n"
        "bundle.open_session('memory_select').close()\n"
        "bundle.open_session('memory_select', threads=2)\n"
    )
    assert done.stdout.strip() == "False"
    assert "has 1 threads in this process already and cannot be changed to 2" in done.stderr


@pytest.mark.parametrize("module", ["sam2lite.runtimes", "sam2lite.runtimes.segmenter"])
def test_importing_the_runtime_loads_nothing_heavy(module: str) -> None:
    done = run_python(
        f"import sys, {module}\n"
        "print(*sorted({'torch', 'onnx', 'onnxruntime', 'typer', 'rich'} & set(sys.modules)))\n"
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_sessions_take_their_memory_from_one_arena() -> None:
    options = ort.session_options(None, 1)
    assert options.get_session_config_entry("session.use_env_allocators") == "1"
