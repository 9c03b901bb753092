"""One network in every form that people have; and what is no checkpoint of it."""

import dataclasses
import json
import logging
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sam2lite.errors import ModelError
from sam2lite.exporter.export import export
from sam2lite.exporter.recipe import Recipe
from sam2lite.models.checkpoint import state_sha256
from sam2lite.models.registry import load_model
from sam2lite.models.sam2.config import Sam2Config
from sam2lite.models.sam2.network import Sam2
from sam2lite.models.sam2.reading.checkpoint import read_checkpoint
from tests.models.sam2.conftest import (
    NAMES,
    TRUNK,
    State,
    Write,
    config_file,
    huggingface_folder,
    meta_file,
    pickle,
    safetensors,
    small,
)
from tests.oracles.names import hugging_face_state

POINTER_TIME = "obj_ptr_tpos_proj.weight"
OCCLUSION = "no_obj_embed_spatial"


def bare(state: State, folder: Path) -> Path:
    return pickle(state, folder)


def of_a_trainer(state: State, folder: Path) -> Path:
    state = {f"module.{name}": torch.nn.Parameter(tensor) for name, tensor in state.items()}
    return pickle({"epoch": 7, "state_dict": state, "optimizer": {"state": {}}}, folder)


def with_tables(state: State, folder: Path) -> Path:
    table = torch.zeros(4, 2)
    return meta_file({**state, "memory_attention.layers.0.self_attn.freqs_cis": table}, folder)


def meta_safetensors(state: State, folder: Path) -> Path:
    safetensors(state, folder / "any name.safetensors")
    return folder / "any name.safetensors"


def huggingface_file(state: State, folder: Path) -> Path:
    return huggingface_folder(state, folder) / "model.safetensors"


def huggingface_pickle(state: State, folder: Path) -> Path:
    return pickle(hugging_face_state(state), folder)


def shards(state: State, folder: Path) -> Path:
    config_file(folder)
    names = list(hugging_face_state(state).items())
    places = {}
    for part in range(3):
        file = f"model-{part + 1:05}-of-00003.safetensors"
        safetensors(dict(names[part::3]), folder / file)
        places.update({name: file for name, _ in names[part::3]})
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def meta_beside_config(state: State, folder: Path) -> Path:
    meta_file(state, folder)
    config_file(folder)
    return folder


def meta_alone_in_a_folder(state: State, folder: Path) -> Path:
    return meta_file(state, folder).parent


FORMS = [
    meta_file,
    bare,
    of_a_trainer,
    with_tables,
    meta_safetensors,
    huggingface_folder,
    huggingface_file,
    huggingface_pickle,
    shards,
    meta_beside_config,
    meta_alone_in_a_folder,
]


@pytest.mark.parametrize("write", FORMS)
def test_every_form_gives_the_same(
    write: Write, state: State, network: Sam2, tmp_path: Path
) -> None:
    found = read_checkpoint(write(state, tmp_path))
    assert list(found.state) == list(network.state_dict())
    for name, tensor in network.state_dict().items():
        assert found.state[name].dtype == torch.float32
        assert torch.equal(found.state[name], tensor), name
    assert found.config == network.config
    assert (found.config.version, found.licence) == ("2.1", "Apache-2.0")
    assert found.sha256 == state_sha256(network.state_dict())


@pytest.mark.parametrize("write", [meta_file, huggingface_folder])
def test_2_0_is_told_by_what_it_lacks(write: Write, tmp_path: Path) -> None:
    network = small(of_2_1=False)
    loaded = load_model(write(dict(network.state_dict()), tmp_path))
    assert loaded.config == Sam2Config(NAMES[False], TRUNK, False, False)
    assert loaded.config.version == "2.0"
    assert loaded.model.obj_ptr_tpos_proj is None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("write", [meta_file, huggingface_folder])
def test_other_types_become_fp32(
    write: Write, dtype: torch.dtype, state: State, tmp_path: Path
) -> None:
    found = read_checkpoint(write({k: t.to(dtype) for k, t in state.items()}, tmp_path))
    assert all(torch.equal(found.state[k], t.to(dtype).float()) for k, t in state.items())
    assert found.sha256 == state_sha256(found.state)


def test_the_family_loads_a_network_that_owns_its_weights(state: State, tmp_path: Path) -> None:
    path = meta_file(state, tmp_path)
    loaded = load_model(path)
    assert (loaded.family.name, loaded.trained, loaded.licence) == ("sam2", True, "Apache-2.0")
    assert not loaded.model.training
    path.write_bytes(b"")  # nothing is left in the file
    assert all(torch.equal(loaded.model.state_dict()[k], t) for k, t in state.items())


def test_a_trunk_that_shapes_do_not_tell_is_taken_from_the_configuration(
    state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = dataclasses.replace(TRUNK, heads=2, windows=(8, 4, 7, 3), global_blocks=(4,))
    huggingface_folder(state, tmp_path)
    config_file(tmp_path, trunk=other)
    with caplog.at_level(logging.WARNING, "sam2lite"):
        found = read_checkpoint(tmp_path).config
    assert isinstance(found, Sam2Config)
    assert found.trunk == other
    assert not caplog.records


@pytest.mark.slow
def test_either_form_gives_the_same_bundle_to_the_last_byte(state: State, tmp_path: Path) -> None:
    bundles = []
    for write in (meta_file, huggingface_folder):
        (tmp_path / write.__name__).mkdir()
        model = write(state, tmp_path / write.__name__)
        bundles.append(tmp_path / f"{write.__name__}_bundle")
        export(Recipe(backend="onnx", model=str(model), sizes=(128,), output=str(bundles[-1])))
    files = [path.relative_to(bundles[0]) for path in bundles[0].rglob("*") if path.is_file()]
    assert len(files) >= 10
    for file in files:
        assert (bundles[0] / file).read_bytes() == (bundles[1] / file).read_bytes(), file


def changed(change: Callable[[State], object], write: Write = meta_file) -> Write:
    def write_changed(state: State, folder: Path) -> Path:
        change(state)
        return write(state, folder)

    return write_changed


def dropped(*beginnings: str) -> Callable[[State], object]:
    def drop(state: State) -> None:
        for name in [name for name in state if name.startswith(beginnings)]:
            del state[name]

    return drop


def with_table_of(side: int) -> Callable[[State], object]:
    table = torch.ones(1, TRUNK.embed_dim, side, side)
    return lambda state: state.update({"image_encoder.trunk.pos_embed_window": table})


def not_a_number(state: State) -> None:
    broken = state["maskmem_tpos_enc"].clone()
    broken.view(-1)[5] = float("nan")
    state["maskmem_tpos_enc"] = broken


def too_large_for_fp16(state: State) -> None:
    state["no_mem_embed"] = torch.full((1, 1, 256), 1e6).half()


def configured(**values: object) -> Write:
    def write(state: State, folder: Path) -> Path:
        file = huggingface_folder(state, folder) / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **values}))
        return folder

    return write


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (
            changed(dropped("memory_encoder.out_proj.")),
            r"(?s)weights.pt do not fit SAM 2.1 \(sam2.1_hiera_16x6; by Meta's names\):"
            r".*memory_encoder.out_proj.weight: expected float32 \[64, 256, 1, 1\], found nothing",
        ),
        (changed(dropped("memory_encoder.")), "(?s)and 30 more"),
        (
            changed(dropped("memory_attention.", "memory_encoder.")),
            "for single images: .* memory_attention and memory_encoder are missing.*Meta's .pt",
        ),
        (
            changed(dropped("memory_attention.", "memory_encoder."), huggingface_folder),
            "for single images, in the layout of Hugging Face: .*sam2_video",
        ),
        (
            changed(lambda state: state.update(stranger=torch.zeros(2))),
            r"(?s)1 tensors .*stranger: expected nothing, found float32 \[2\]",
        ),
        (
            changed(lambda state: state.update(no_obj_ptr=torch.zeros(1, 255)), huggingface_folder),
            r"(?s)no_obj_ptr: expected float32 \[1, 256\], found float32 \[1, 255\]",
        ),
        (
            changed(lambda state: state.update(no_obj_ptr=torch.zeros(1, 256).int())),
            r"(?s)no_obj_ptr: expected float32 \[1, 256\], found int32",
        ),
        (changed(dropped(POINTER_TIME)), rf"(?s)1 tensors .*SAM 2.1 .*{POINTER_TIME}: .*nothing"),
        (changed(dropped(OCCLUSION)), rf"(?s)SAM 2.1 .*{OCCLUSION}: .*found nothing"),
        (changed(not_a_number), r"(?s)NaN or infinite.*maskmem_tpos_enc: 1 of 448"),
        (changed(too_large_for_fp16), r"(?s)NaN or infinite.*no_mem_embed: 256 of 256"),
        (
            changed(with_table_of(5)),
            "windows of the first stage have 5 cells a side, .* must divide 8",
        ),
        (
            configured(enable_occlusion_spatial_embedding=False),
            "mixes SAM 2 and 2.1: the occlusion embedding is False, the time of pointers True",
        ),
        (
            configured(
                enable_occlusion_spatial_embedding=False,
                enable_temporal_pos_encoding_for_object_pointers=False,
            ),
            r"(?s)3 tensors .*do not fit SAM 2.0 .*expected nothing",
        ),
    ],
)
def test_weights_that_do_not_fit_are_listed(
    write: Write, message: str, state: State, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=message):
        load_model(write(state, tmp_path))


class Code:
    """What runs something where it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return print, ("unpickled",)


def code_beside_weights(state: State, folder: Path) -> Path:
    return pickle({"model": state, "extra": Code()}, folder)


def cut_short(state: State, folder: Path) -> Path:
    path = meta_file(state, folder)
    path.write_bytes(path.read_bytes()[:-5000])
    return path


def packed(state: State, folder: Path) -> Path:
    path, squeezed = meta_file(state, folder), folder / "packed.pt"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(squeezed, "w") as other:
        for record in archive.infolist():
            other.writestr(record.filename, archive.read(record), zipfile.ZIP_DEFLATED, 1)
    return squeezed


def inflated(state: State, folder: Path) -> Path:
    """A few bytes that are a table of terabytes."""
    return meta_file({**state, "no_mem_embed": torch.zeros(1).expand(1 << 40)}, folder)


def sparse(state: State, folder: Path) -> Path:
    return meta_file({**state, "no_mem_embed": state["no_mem_embed"].to_sparse()}, folder)


def without_weights(state: State, folder: Path) -> Path:
    config_file(folder)
    return folder


def shard_missing(state: State, folder: Path) -> Path:
    (shards(state, folder) / "model-00002-of-00003.safetensors").unlink()
    return folder


def link_without_a_file(state: State, folder: Path) -> Path:
    config_file(folder)
    (folder / "model.safetensors").symlink_to("gone")
    return folder


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (code_beside_weights, "weights.pt is damaged or holds more than weights"),
        (cut_short, "weights.pt is damaged or holds more than weights"),
        (packed, "packed.pt is packed, which PyTorch does not do"),
        (inflated, "no_mem_embed is larger than the file"),
        (sparse, "no_mem_embed is no plain tensor"),
        (without_weights, "has no weights beside its config.json"),
        (shard_missing, r"cannot read .*model-00002-of-00003.safetensors: No such file"),
        (link_without_a_file, "cannot read .*model.safetensors: No such file"),
    ],
)
def test_damaged_files_are_refused_in_one_sentence(
    write: Write,
    message: str,
    state: State,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        load_model(write(state, tmp_path))
    assert "\n" not in str(caught.value)
    assert "unpickled" not in capsys.readouterr().out


def test_a_damaged_byte_anywhere_is_no_crash(state: State, tmp_path: Path) -> None:
    """It is refused, unless it lies in no record."""
    path = meta_file(state, tmp_path)
    whole = path.read_bytes()
    end = len(whole)
    spots = [3, 31, 90, 400, 5000, end // 2, end - 60000, end - 9000, end - 600, end - 20, end - 3]
    for spot in spots:
        path.write_bytes(whole[:spot] + bytes([whole[spot] ^ 0x5A]) + whole[spot + 1 :])
        try:
            found = read_checkpoint(path).state
        except ModelError:
            continue
        assert all(torch.equal(found[k], t) for k, t in state.items())
