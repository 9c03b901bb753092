"""A checkpoint is recognised by its keys; a family that a test registers is as good as any."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sam2lite.calibration.footage import CalibrationClip
from sam2lite.calibration.observe import observe
from sam2lite.calibration.recorder import record
from sam2lite.contracts import family
from sam2lite.errors import ModelError, UnknownNameError
from sam2lite.evaluation.reference_tracker import ReferenceTracker
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.registry import host_of, load_model, published_names
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.config import Sam2LiteConfig
from sam2lite.models.sam2lite.network import build
from sam2lite.runtimes.prompts import Prompt
from tests.conftest import MINI
from tests.doubles.toy_family import HOST, TOY, ToyConfig

KNOWN = r"families: .*sam2lite \(SAM2-Lite\), toy \(Toy\)"


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Register the toy, for these tests alone."""
    monkeypatch.setattr(family, "_registered", {})
    family.register_family(TOY)
    yield


@pytest.fixture
def toy() -> LoadedModel:
    return load_model("toy", seed=1)


@pytest.fixture
def weights(toy: LoadedModel, tmp_path: Path) -> Path:
    """A single file, as people have them."""
    save_file(toy.model.state_dict(), tmp_path / "toy.safetensors")
    return tmp_path / "toy.safetensors"


@pytest.fixture
def frames() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (40, 60, 3)).astype(np.uint8) for _ in range(4)]


def test_a_registered_family_is_built_by_name(toy: LoadedModel) -> None:
    names = published_names()
    assert (names[:3], names[-1]) == (["tiny", "small", "base"], "toy")
    assert host_of("toy") is HOST
    assert (toy.family, toy.name, toy.trained) == (TOY, "toy", False)
    assert toy.sizes == (32, 64)
    assert toy.dims(32) == {"R": 32, "H8": 4, "C": 16}
    assert toy.memory() == {"masks": 1}
    assert toy.module("brush") is toy.model.brush
    assert toy.parameters == {"eye": 3088, "brush": 154, "total": 3242}
    assert list(toy.fused().quantized_layers()) == ["eye.patches", "brush.stroke"]
    assert load_model("toy", seed=1).sha256 == toy.sha256 != load_model("toy", seed=2).sha256


def test_a_checkpoint_is_recognised_by_its_keys(toy: LoadedModel, weights: Path) -> None:
    folder = weights.parent / "folder"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "whatever"}))
    save_file(toy.model.state_dict(), folder / "model.safetensors")
    torch.save(toy.model.state_dict(), weights.with_suffix(".pt"))
    for path in (weights, folder, weights.with_suffix(".pt")):
        loaded = load_model(path)
        assert (loaded.host, loaded.config) == (HOST, ToyConfig())
        state = loaded.model.state_dict()
        assert all(torch.equal(state[k], v) for k, v in toy.model.state_dict().items())


def test_sam2lite_is_still_itself(nano_config: Sam2LiteConfig, tmp_path: Path) -> None:
    save_checkpoint(build(nano_config), tmp_path / "nano")
    assert load_model(tmp_path / "nano").family.name == "sam2lite"


def test_the_loop_of_a_registered_family_is_tracked(
    toy: LoadedModel, frames: list[np.ndarray]
) -> None:
    tracker = ReferenceTracker(toy, rung=32, first_logit=4.0)
    given = tracker.prompt(frames[0], 5, points=[(30, 20)])
    first = tracker.track(frames[0])  # the same frame
    assert first.frame_index == 0
    assert np.array_equal(first.objects[5].mask, given.mask)
    assert first.objects[5].prompted
    tracker.set_rung(64)
    second = tracker.track(frames[1])
    assert (second.frame_index, second.rung) == (1, 64)
    assert second.objects[5].logits.shape == (8, 8)
    assert second.objects[5].mask.shape == (40, 60)
    assert not second.objects[5].prompted
    corrected = tracker.correct(5, box=(10, 10, 50, 30))
    assert corrected.mask[20, 30]
    tracker.remove(5)
    assert tracker.object_ids == []
    with pytest.raises(UnknownNameError, match="unknown Toy setting 'policy'"):
        ReferenceTracker(toy, policy="fifo")


def test_a_registered_family_is_calibrated(
    toy: LoadedModel, frames: list[np.ndarray], tmp_path: Path
) -> None:
    prompts = {2: Prompt(points=[(30, 20)]), 1: Prompt(box=(5, 5, 20, 20))}
    clip = CalibrationClip("noise", frames, prompts, 2, Prompt(points=[(3, 3)]))
    recording = record(toy, [clip], toy.sizes, tmp_path)
    assert (recording.count("eye"), recording.count("brush")) == (4, 2 * 4 + 1)
    ranges = observe(toy, recording, "minmax")
    assert sorted(ranges) == [
        f"{layer}:{end}" for layer in ("brush.stroke", "eye.patches") for end in ("input", "output")
    ]
    least, greatest = ranges["eye.patches:input"]
    assert 0.0 <= least < greatest <= 1.0


def strange(**tensors: torch.Tensor) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        save_file(tensors, folder / "strange.safetensors")
        return folder / "strange.safetensors"

    return write


def pickled(content: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        torch.save(content, folder / "strange.pt")
        return folder / "strange.pt"

    return write


def cut(write: Callable[[Path], Path]) -> Callable[[Path], Path]:
    def shorten(folder: Path) -> Path:
        path = write(folder)
        path.write_bytes(path.read_bytes()[:-40])
        return path

    return shorten


def folder_with(**files: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / "net").mkdir()
        for name, text in files.items():
            (folder / "net" / f"{name}.json").write_text(text)
        return folder / "net"

    return write


def text(folder: Path) -> Path:
    (folder / "notes.txt").write_text("weights are elsewhere")
    return folder / "notes.txt"


def of_sam2lite_without_its_folder(folder: Path) -> Path:
    save_checkpoint(build(MINI), folder / "mini")
    return folder / "mini" / "model.safetensors"


class Code:
    """What runs something where it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return print, ("unpickled",)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (
            strange(**{"trunk.a": torch.zeros(2), "trunk.b": torch.zeros(3)}),
            r"strange.safetensors is a checkpoint of no family that is known: it has 2 tensors "
            rf"\(trunk.a, trunk.b, ...\), no config.json; {KNOWN}",
        ),
        (pickled({"model": {"trunk.a": torch.zeros(2)}}), rf"1 tensor \(trunk.a, .*{KNOWN}"),
        (pickled([1, 2, 3]), rf"no weights, no config.json; {KNOWN}"),
        (pickled(Code()), r"strange.pt is damaged or holds more than weights"),
        (cut(pickled({"a": torch.zeros(99)})), r"strange.pt is damaged or holds more than weights"),
        (cut(strange(a=torch.zeros(99))), "strange.safetensors is damaged or no safetensors file"),
        (
            folder_with(config='{"model_type": "other"}'),
            rf"it has no weights, config.json with model_type 'other'; {KNOWN}",
        ),
        (folder_with(config="{"), "config.json is not valid JSON"),
        (folder_with(config='{"model_type": "sam2lite"}'), r"licence None|does not describe"),
        (folder_with(), r"cannot read .*net/config.json: No such file .*a checkpoint is a folder"),
        (text, r"notes.txt is no file of weights; a checkpoint is a folder with config.json and"),
        (of_sam2lite_without_its_folder, r"model.safetensors is a file; .*so give its folder"),
        (lambda folder: folder / ("n" * 300), "cannot look at .*nnn: File name too long"),
        (lambda folder: folder / "nowhere", r"nowhere/config.json: No such file"),
    ],
)
def test_what_is_no_checkpoint_is_refused_in_one_sentence(
    write: Callable[[Path], Path],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        load_model(write(tmp_path))
    assert "\n" not in str(caught.value)
    assert "unpickled" not in capsys.readouterr().out


def test_a_name_that_nobody_knows_lists_those_of_all_families() -> None:
    with pytest.raises(
        UnknownNameError, match=r"known: tiny, small, base, .*toy, a folder or file of a"
    ):
        load_model("teeny")
