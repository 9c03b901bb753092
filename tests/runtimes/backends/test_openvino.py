"""The adapter for OpenVINO, with a double of it, and with itself where it is installed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto

from sam2lite.errors import BundleError, SessionError, install_extra
from sam2lite.exporter.onnx.trace import example_inputs, feeds_of
from sam2lite.exporter.openvino.precision import BFloat16
from sam2lite.runtimes.backends.openvino import session as adapter
from sam2lite.runtimes.backends.openvino.devices import Placement
from sam2lite.runtimes.backends.openvino.loading import judge_openvino
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.commands.machine_checks import ABSENT, OK, check_backend
from tests.doubles import openvino_runtime as double

HERE, WHY_NOT = judge_openvino()
ENCODER, DECODER = "image_encoder@240", "mask_decoder@240"


@pytest.fixture(params=["double", "real"])
def openvino(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which OpenVINO there is."""
    if request.param == "real" and not HERE:
        pytest.skip(WHY_NOT)
    if request.param == "double":
        monkeypatch.setitem(sys.modules, "openvino", double)
        double.compiled.clear()
    return str(request.param)


@pytest.fixture
def doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", double)
    double.compiled.clear()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "sam2lite" / "openvino"


@pytest.fixture
def bundle(openvino_bundle: Path) -> Bundle:
    return open_bundle(str(openvino_bundle))


def feeds(bundle: Bundle, key: str) -> dict[str, np.ndarray]:
    spec = bundle.manifest.graphs[key].spec
    return feeds_of(spec, example_inputs(spec))


def outputs(bundle: Bundle, key: str, provider: str | None = None) -> dict[str, np.ndarray]:
    with bundle.open_session(key, threads=1, provider=provider) as session:
        found = session.run(feeds(bundle, key))
        return {name: session.numpy(handle) for name, handle in found.items()}


def test_graphs_compute_what_they_do_in_onnx_runtime(openvino: str, bundle: Bundle) -> None:
    same = open_bundle(bundle.path, "ort")
    for key in bundle.manifest.graphs:
        expected = outputs(same, key)
        for name, array in outputs(bundle, key).items():
            np.testing.assert_allclose(array, expected[name], rtol=1e-4, atol=1e-4)


def test_what_a_run_gave_stays_when_the_next_one_runs(openvino: str, bundle: Bundle) -> None:
    key, given = DECODER, feeds(bundle, DECODER)
    with bundle.open_session(key) as session:
        first = session.run(given)
        kept = {name: array.copy() for name, array in first.items()}
        other = {name: np.zeros_like(array) for name, array in given.items()}
        changed = session.run(other)
        for name, array in first.items():
            np.testing.assert_array_equal(array, kept[name])
        assert any((changed[name] != kept[name]).any() for name in kept)


def test_arrays_with_gaps_and_those_that_must_not_be_written_are_taken(
    openvino: str, bundle: Bundle
) -> None:
    given = feeds(bundle, DECODER)
    expected = outputs(bundle, DECODER)
    for name, array in given.items():
        with_gaps = np.repeat(array[..., None], 2, axis=-1)[..., 0]
        with_gaps.flags.writeable = False
        given[name] = with_gaps
    with bundle.open_session(DECODER, threads=1) as session:
        for name, array in session.run(given).items():
            np.testing.assert_array_equal(array, expected[name])


def test_compiled_graphs_are_kept_by_the_bundle_and_found_again(
    openvino: str, bundle: Bundle, cache: Path
) -> None:
    before = outputs(bundle, DECODER)
    (folder,) = cache.iterdir()
    assert folder.name == bundle.sha256[:16]
    assert folder.stat().st_mode & 0o777 == 0o700
    after = outputs(bundle, DECODER)
    assert all((before[name] == after[name]).all() for name in before)
    if openvino == "real":
        (kept,) = folder.iterdir()
        kept.write_bytes(kept.read_bytes()[:1000])  # half written, by a process that was stopped
        assert all((outputs(bundle, DECODER)[name] == before[name]).all() for name in before)


def test_nothing_is_kept_of_what_an_export_tries_or_where_nothing_can_be(
    openvino: str, bundle: Bundle, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle.is_kept = False
    outputs(bundle, DECODER)
    assert not cache.exists()
    bundle.is_kept = True
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    outputs(bundle, DECODER)


@pytest.mark.parametrize("name", ["NPU", "CPU.1", "AUTO", "GPU.7", "MULTI", ""])
def test_a_device_that_is_not_here_is_one_sentence(
    doubled: None, bundle: Bundle, name: str
) -> None:
    if not name:
        bundle = _with_target(bundle, device="NPU")
    with pytest.raises(SessionError, match=r"only CPU, GPU\.0, GPU\.1; choose one") as caught:
        bundle.open_session(DECODER, provider=name or None)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1


@pytest.mark.skipif(not HERE, reason=WHY_NOT)
def test_openvino_itself_has_no_such_device(bundle: Bundle) -> None:
    with pytest.raises(SessionError, match=r"no 'XPU' here, only .*CPU"):
        bundle.open_session(DECODER, provider="XPU")


def _with_target(bundle: Bundle, **values: Any) -> Bundle:
    target = json.loads(json.dumps(bundle.manifest.target))
    target["openvino"].update(values)
    manifest = bundle.manifest._replace(target=target)
    return Bundle(bundle.path, manifest, bundle.sha256, bundle.backend)


@pytest.mark.parametrize(
    ("provider", "key", "device", "float_type"),
    [
        (None, ENCODER, "CPU", "f32"),
        ("CPU:bf16", ENCODER, "CPU", "bf16"),
        ("CPU:bf16", DECODER, "CPU", "f32"),
        ("CPU:bf16", "memory_select", "CPU", "f32"),
        ("GPU", ENCODER, "GPU", "f32"),
        ("GPU.1:f16", ENCODER, "GPU.1", "f16"),
    ],
)
def test_where_and_in_what_a_graph_is_computed(
    doubled: None, bundle: Bundle, provider: str | None, key: str, device: str, float_type: str
) -> None:
    bundle.open_session(key, threads=3, provider=provider).close()
    (found,) = double.compiled
    assert found.device == device
    assert found.settings["INFERENCE_PRECISION_HINT"] == float_type
    assert found.settings.get("INFERENCE_NUM_THREADS") == ("3" if device == "CPU" else None)


def test_a_bundle_in_bf16_is_computed_in_it_where_it_can_be(
    doubled: None, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs = {
        key: entry._replace(precision=BFloat16().render(ModelProto(), entry.spec, 240).precision)
        for key, entry in bundle.manifest.graphs.items()
    }
    bundle.manifest = bundle.manifest._replace(graphs=graphs)
    assert bundle.manifest.precision == "bf16"
    for key in (ENCODER, DECODER):
        bundle.open_session(key).close()
    monkeypatch.setattr(double.Core, "get_property", lambda self, device, name: ["FP32"])
    bundle.open_session(ENCODER).close()
    types = [found.settings["INFERENCE_PRECISION_HINT"] for found in double.compiled]
    assert types == ["bf16", "f32", "f32"]
    with pytest.raises(SessionError, match="CPU does not compute in bf16"):
        bundle.open_session(ENCODER, provider="CPU:bf16")


def test_an_unknown_type_lists_those_there_are(doubled: None, bundle: Bundle) -> None:
    with pytest.raises(SessionError, match=r"'int4' is not .*f32, f16, bf16"):
        bundle.open_session(DECODER, provider="CPU:int4")


@pytest.mark.parametrize("broken", [{}, {"openvino": {"device": "CPU", "float_types": {}}}, None])
def test_a_manifest_that_does_not_say_where_is_refused(
    doubled: None, bundle: Bundle, broken: Any
) -> None:
    manifest = bundle.manifest._replace(target=broken or {"openvino": {"device": 3}})
    with pytest.raises(BundleError, match="does not say where"):
        Bundle(bundle.path, manifest, "0" * 64, bundle.backend).open_session(DECODER)


def test_a_file_that_is_no_graph_is_one_line(
    openvino: str, bundle: Bundle, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "graph.onnx"
    path.write_bytes(b"not a graph")
    core = sys.modules["openvino"].Core()
    spec = bundle.manifest.graphs[DECODER].spec
    with pytest.raises(SessionError, match="cannot load") as caught:
        adapter.OpenVinoSession(spec, str(path), core, Placement("CPU", "f32"), {})
    assert "\n" not in str(caught.value)
    assert "Exception from" not in str(caught.value)
    assert "tensorflow" not in capfd.readouterr().err  # no other reader was asked


def test_another_graph_than_the_manifest_says_is_refused(openvino: str, bundle: Bundle) -> None:
    graphs = dict(bundle.manifest.graphs)
    other = graphs["memory_encoder@240"]
    graphs[DECODER] = graphs[DECODER]._replace(file=other.file)
    broken = Bundle(bundle.path, bundle.manifest._replace(graphs=graphs), "0" * 64, "openvino")
    with pytest.raises(SessionError, match="the manifest says that it has"):
        broken.open_session(DECODER)


def test_weights_in_a_file_that_is_not_listed_are_refused(doubled: None, bundle: Bundle) -> None:
    manifest = bundle.manifest._replace(files={})
    with pytest.raises(BundleError, match=r"weights\.bin"):
        Bundle(bundle.path, manifest, bundle.sha256, "openvino").check_graph(DECODER)


def test_without_openvino_a_bundle_says_how_to_get_it(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    said = r"OpenVINO cannot be imported .*; run: pip install .*\[openvino\]'"
    with pytest.raises(SessionError, match=said):
        bundle.open_session(DECODER)
    check = check_backend("openvino")
    assert (check.status, check.required) == (ABSENT, False)
    assert install_extra("openvino") in check.remedy


@pytest.mark.parametrize("version", ["2023.3.0-13775-ceeafaf64f3", "2024.6", "master", None])
def test_an_old_or_unknown_openvino_is_refused(
    monkeypatch: pytest.MonkeyPatch, version: str | None
) -> None:
    old = SimpleNamespace(**({} if version is None else {"__version__": version}))
    monkeypatch.setitem(sys.modules, "openvino", old)
    available, said = adapter.is_available()
    assert not available
    assert "is too old, 2025.0 is needed" in said


def test_doctor_says_which_devices_there_are(openvino: str) -> None:
    check = check_backend("openvino")
    assert check.status == OK
    assert "devices: " in check.value
    assert "CPU" in check.value


REPORTS = """
import pathlib, sys
try:
    import openvino_telemetry
    openvino_telemetry.send()
except ImportError:
    pass
__version__ = "2026.4.1"
"""
IMPORTED = """
import sys
from sam2lite.runtimes.backends.openvino.loading import import_openvino
import_openvino()
assert "openvino_telemetry" not in sys.modules
import openvino_telemetry  # whoever means to, may still
"""


def test_importing_openvino_reports_to_nobody(tmp_path: Path) -> None:
    """Its package sends an event at its import, and writes to the home folder."""
    sent = tmp_path / "sent"
    reporter = f"import pathlib\ndef send():\n    pathlib.Path({str(sent)!r}).touch()\n"
    (tmp_path / "openvino.py").write_text(REPORTS)
    (tmp_path / "openvino_telemetry.py").write_text(reporter)
    for code, reports in (("import openvino", True), (IMPORTED, False)):
        sent.unlink(missing_ok=True)
        command = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{code}"
        subprocess.run([sys.executable, "-c", command], check=True)
        assert sent.exists() is reports


@pytest.mark.skipif(not HERE, reason=WHY_NOT)
def test_openvino_itself_writes_nothing_at_home(tmp_path: Path) -> None:
    command = [sys.executable, "-c", IMPORTED.splitlines()[2] + "\nimport_openvino()"]
    subprocess.run(command, check=True, env={**os.environ, "HOME": str(tmp_path)})
    assert not list(tmp_path.iterdir())
