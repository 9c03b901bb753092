import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sam2lite.contracts.provenance import DEMO, OWN, SMOKE_TEST, UNTRAINED
from sam2lite.errors import ModelError, OutputError, UnknownNameError
from sam2lite.models.checkpoint import state_sha256
from sam2lite.models.registry import load_model
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.config import TINY, Sam2LiteConfig
from sam2lite.models.sam2lite.family import HOST
from sam2lite.models.sam2lite.network import Sam2Lite, build
from sam2lite.weights import SHIPPED

State = dict[str, torch.Tensor]


@pytest.fixture(scope="session")
def nano(nano_config: Sam2LiteConfig) -> Sam2Lite:
    return build(nano_config, seed=5)


@pytest.fixture
def folder(nano: Sam2Lite, tmp_path: Path) -> Path:
    save_checkpoint(nano, tmp_path / "nano")
    return tmp_path / "nano"


def rewrite(folder: Path, change: Callable[[State], object]) -> None:
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors")


def test_round_trip(nano: Sam2Lite, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "nano"
    save_checkpoint(nano, folder, licence="CC-BY-4.0", weights=OWN)
    loaded = HOST.load(folder)
    assert (loaded.config, loaded.licence, loaded.trained) == (nano.config, "CC-BY-4.0", True)
    assert not loaded.model.training
    state = loaded.model.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in nano.state_dict().items())
    data = (folder / "model.safetensors").read_bytes()
    assert loaded.sha256 == hashlib.sha256(data).hexdigest()
    assert json.loads((folder / "config.json").read_text())["model_type"] == "sam2lite"


def test_untrained_is_the_default(folder: Path) -> None:
    loaded = HOST.load(str(folder))
    assert (loaded.licence, loaded.trained, loaded.weights) == ("Apache-2.0", False, UNTRAINED)


@pytest.mark.parametrize("weights", [UNTRAINED, SMOKE_TEST, DEMO, OWN])
def test_a_checkpoint_says_where_its_weights_come_from(
    nano: Sam2Lite, folder: Path, weights: str
) -> None:
    save_checkpoint(nano, folder, weights=weights, force=True)
    loaded = HOST.load(folder)
    assert (loaded.weights, loaded.trained) == (weights, weights != UNTRAINED)
    # What `trained` says already is not said again, so that older SAM2-Lites read it.
    written = json.loads((folder / "config.json").read_text())
    assert ("weights" in written) == (weights in (SMOKE_TEST, DEMO))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_fp32(nano: Sam2Lite, folder: Path, dtype: torch.dtype) -> None:
    rewrite(
        folder, lambda s: s.update({k: v.to(dtype) for k, v in s.items() if v.is_floating_point()})
    )
    state = HOST.load(folder).model.state_dict()
    for name, tensor in nano.state_dict().items():
        assert state[name].dtype == tensor.dtype
        expected = tensor.to(dtype).to(tensor.dtype) if tensor.is_floating_point() else tensor
        assert torch.equal(state[name], expected)


def test_writing_leaves_nothing_beside_the_checkpoint(folder: Path) -> None:
    assert [path.name for path in folder.parent.iterdir()] == ["nano"]
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors"}


def test_existing_folder_is_refused_and_left_alone(
    nano_config: Sam2LiteConfig, folder: Path
) -> None:
    before = HOST.load(folder).sha256
    with pytest.raises(OutputError, match=r"exists; choose another folder, or .*--force"):
        save_checkpoint(build(nano_config, seed=6), folder)
    assert HOST.load(folder).sha256 == before


def test_force_replaces_a_checkpoint(nano_config: Sam2LiteConfig, folder: Path) -> None:
    other = build(nano_config, seed=6)
    save_checkpoint(other, folder, force=True)
    state = HOST.load(folder).model.state_dict()
    assert torch.equal(state["mask_decoder.queries"], other.state_dict()["mask_decoder.queries"])
    assert [path.name for path in folder.parent.iterdir()] == ["nano"]


def test_force_replaces_nothing_else(nano: Sam2Lite, folder: Path) -> None:
    (folder / "thesis.tex").write_text("years of work")
    for target in (folder, folder / "thesis.tex"):
        with pytest.raises(OutputError, match="more than a checkpoint"):
            save_checkpoint(nano, target, force=True)
    assert (folder / "thesis.tex").read_text() == "years of work"


def test_unwritable_folder_is_one_sentence(nano: Sam2Lite, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write '.*file/nano'"):
        save_checkpoint(nano, tmp_path / "file" / "nano")


def drop(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def configure(**values: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return change


def cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (drop("config.json"), "cannot read .*config.json: No such file .*a checkpoint is a folder"),
        (drop("model.safetensors"), "cannot read .*model.safetensors: No such file"),
        (write("config.json", b"{"), "config.json is not valid JSON"),
        (write("config.json", b"\xff\xfe"), "config.json is not valid JSON"),
        (write("config.json", b"[]"), "holds a list; it must hold a JSON object"),
        (write("model.safetensors", b""), "model.safetensors is damaged or no safetensors file"),
        (write("model.safetensors", b"version https://git-lfs.github.com/spec/v1\n"), "damaged"),
        (cut, "damaged"),
        (configure(model_type="sam2"), "model_type 'sam2'; expected 'sam2lite'"),
        (configure(licence=3), "licence 3 and trained False"),
        (configure(trained="yes"), "trained 'yes'"),
        (configure(weights="best"), "weights 'best' and trained False; weights are one of untrai"),
        (configure(weights=["own"]), "weights ..own"),
        (configure(weights=OWN), "only 'untrained' are not trained"),
        (configure(surprise=1), "surprise"),
        (configure(embed_dim=-8), "embed_dim -8; it must be a whole number above 0"),
        (configure(stages=[{"width": "8", "blocks": "c"}] * 4), "cannot be built"),
        (configure(stages=[{"width": 8, "blocks": "x"}] * 4), "cannot be built"),
        (configure(stages=[{"width": 8, "blocks": "c"}]), "cannot be built"),
        (configure(skip_dims=[4]), "cannot be built"),
    ],
)
def test_damaged_checkpoint_is_refused(
    folder: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(folder)
    with pytest.raises(ModelError, match=message):
        HOST.load(folder)


def test_every_byte_of_the_header_may_be_damaged(folder: Path) -> None:
    path = folder / "model.safetensors"
    data = path.read_bytes()
    for position in range(0, 120, 7):
        path.write_bytes(data[:position] + bytes([data[position] ^ 0x5A]) + data[position + 1 :])
        with pytest.raises(ModelError):
            HOST.load(folder)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda state: state.pop("mask_decoder.null_key"),
            r"mask_decoder.null_key: expected float32 \[1, 1, 256\], found nothing",
        ),
        (
            lambda state: state.update(stranger=torch.zeros(2, 3)),
            r"stranger: expected nothing, found float32 \[2, 3\]",
        ),
        (
            lambda state: state.update({"mask_decoder.null_key": torch.zeros(1, 1, 255)}),
            r"null_key: expected float32 \[1, 1, 256\], found float32 \[1, 1, 255\]",
        ),
        (
            lambda state: state.update({"mask_decoder.null_key": torch.zeros(1, 1, 256).char()}),
            r"null_key: expected float32 \[1, 1, 256\], found int8 \[1, 1, 256\]",
        ),
    ],
)
def test_tensor_that_does_not_fit_is_named(
    folder: Path, change: Callable[[State], object], line: str
) -> None:
    rewrite(folder, change)
    with pytest.raises(ModelError, match=f"(?s)1 tensors .*do not fit config.json:.*{line}"):
        HOST.load(folder)


def test_long_list_of_misfits_is_cut(folder: Path) -> None:
    rewrite(folder, lambda state: [state.pop(name) for name in sorted(state)[:14]])
    with pytest.raises(ModelError) as caught:
        HOST.load(folder)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("14 tensors")
    assert len(lines) == 12
    assert lines[-1].strip() == "and 4 more"


def test_size_name_with_a_seed_gives_an_untrained_network(tiny: Sam2Lite) -> None:
    loaded = load_model("tiny", seed=0)
    assert loaded.config == TINY
    assert not loaded.trained
    assert not loaded.model.training
    assert loaded.sha256 == state_sha256(tiny.state_dict())
    assert load_model("tiny", seed=1).sha256 != loaded.sha256


def test_tiny_comes_with_trained_weights_and_the_others_do_not() -> None:
    loaded = load_model("tiny")
    assert loaded.trained
    assert loaded.weights == SMOKE_TEST
    assert loaded.config == TINY
    assert all(torch.isfinite(tensor).all() for tensor in loaded.model.state_dict().values())
    assert sum(path.stat().st_size for path in SHIPPED["tiny"].iterdir()) <= 11_000_000
    assert not load_model("small").trained


def test_half_precision_halves_the_file(tiny: Sam2Lite, tmp_path: Path) -> None:
    sizes = {}
    for half in (False, True):
        save_checkpoint(tiny, tmp_path / str(half), half=half)
        sizes[half] = (tmp_path / str(half) / "model.safetensors").stat().st_size
    assert sizes[True] < 0.52 * sizes[False]
    loaded = HOST.load(tmp_path / "True").model.state_dict()
    for name, tensor in tiny.state_dict().items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.allclose(loaded[name], tensor, rtol=1e-3, atol=1e-6), name


def test_state_hash_does_not_depend_on_order_but_on_names_shapes_and_values() -> None:
    state = {"a": torch.zeros(2, 3), "b": torch.ones(4)}
    digest = state_sha256(state)
    assert digest == state_sha256(dict(reversed(state.items())))
    assert digest != state_sha256({"a": torch.zeros(3, 2), "b": torch.ones(4)})
    assert digest != state_sha256({"a": torch.zeros(2, 3), "c": torch.ones(4)})
    assert digest != state_sha256({"a": torch.zeros(2, 3), "b": -torch.ones(4)})


def test_path_loads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = HOST.load(folder).sha256
    assert load_model(folder).sha256 == digest
    monkeypatch.chdir(folder.parent)
    assert load_model("nano").sha256 == digest
    assert load_model("./nano").sha256 == digest


def test_what_is_neither_size_nor_path_is_refused(folder: Path) -> None:
    with pytest.raises(
        UnknownNameError,
        match=r"'teeny'; known: tiny, small, base, .*file of a checkpoint, an",
    ):
        load_model("teeny")
    with pytest.raises(ModelError, match=r"nowhere/config.json: No such file"):
        load_model(folder / "nowhere")
    with pytest.raises(ModelError, match="a checkpoint is a folder"):
        load_model(folder / "model.safetensors")
