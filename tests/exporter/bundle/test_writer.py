import errno
import json
from pathlib import Path

import onnx
import pytest

from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.contracts.manifest import Manifest
from sam2lite.errors import OutputError, UnknownNameError, VerificationError
from sam2lite.exporter.bundle.job import ExportJob
from sam2lite.exporter.bundle.writer import write_bundle
from sam2lite.exporter.onnx.backend import PLAIN
from sam2lite.models.loaded import LoadedModel
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.targets.registry import get_target


def test_bundle_opens_and_says_what_it_is(tiny_bundle: Path, tiny_model: LoadedModel) -> None:
    manifest = open_bundle(str(tiny_bundle)).manifest
    assert manifest.rungs == (240, 336, 480)
    assert manifest.model.checkpoint_sha256 == tiny_model.sha256
    assert not manifest.model.trained
    assert manifest.precision == "fp32"
    for graph in FAMILY.graphs:
        key = graph.key(480)
        assert manifest.graphs[key].spec == graph.bind(tiny_model.config.dims(480))
        assert all(error["relative"] <= 1e-5 for error in parity(manifest, key).values())


def parity(manifest: Manifest, key: str) -> dict[str, dict[str, float]]:
    errors: dict[str, dict[str, float]] = manifest.verification["graphs"][key]["parity"]
    return errors


def test_weights_of_all_rungs_are_stored_once(tiny_bundle: Path, tiny_model: LoadedModel) -> None:
    weights_mb = (tiny_bundle / "graphs" / "weights.bin").stat().st_size / 1e6
    network_mb = 4 * tiny_model.model.parameter_counts()["total"] / 1e6
    assert weights_mb < 1.15 * network_mb  # position tables of three rungs are the rest


def test_onnx_folder_has_the_opset_that_was_asked_for(
    mini_model: LoadedModel, tmp_path: Path
) -> None:
    write_bundle(mini_model, PLAIN._replace(opset=13), tmp_path / "graphs13", rungs=[240])
    for path in (tmp_path / "graphs13" / "graphs").glob("*.onnx"):
        model = onnx.load(path)
        assert [entry.version for entry in model.opset_import if entry.domain == ""] == [13]
    manifest = json.loads((tmp_path / "graphs13" / "manifest.json").read_text())
    assert manifest["opset"] == 13
    assert manifest["backend"] == "onnx"


def test_unknown_rung_is_refused(mini_model: LoadedModel) -> None:
    with pytest.raises(UnknownNameError, match="known: 240, 288"):
        ExportJob.of(mini_model, [250], "ort")


def test_existing_folder_is_refused_and_kept(mini_model: LoadedModel, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="--force"):
        write_bundle(mini_model, get_target("x86-64"), tmp_path / "b", rungs=[240])
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), OutputError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (VerificationError("a bound is missed"), VerificationError),
    ],
)
def test_nothing_is_left_when_an_export_ends_early(
    mini_model: LoadedModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    expected: type[BaseException],
) -> None:
    done: list[str] = []

    def interrupt(key: str) -> None:
        done.append(key)
        if len(done) == 2:
            raise error

    with pytest.raises(expected):
        write_bundle(
            mini_model, get_target("x86-64"), tmp_path / "b", rungs=[240], report=interrupt
        )
    assert len(done) == 2
    assert list(tmp_path.iterdir()) == []
