"""Which files of a folder hold weights, and what an index of shards must not say."""

import json
import os
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sam2lite.errors import ModelError
from sam2lite.models.found import look_at

FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
INDEX = "model.safetensors.index.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two shards with their index."""
    save_file({"a": torch.ones(2)}, tmp_path / FIRST)
    save_file({"b": torch.zeros(3)}, tmp_path / SECOND)
    index(tmp_path, {"a": FIRST, "b": SECOND})
    return tmp_path


def index(folder: Path, places: object) -> None:
    (folder / INDEX).write_text(json.dumps({"weight_map": places}))


def test_shards_are_read_as_one(folder: Path) -> None:
    found = look_at(folder)
    assert [path.name for path in found.files] == [FIRST, SECOND]
    assert {name: list(claim.shape) for name, claim in found.claims.items()} == {"a": [2], "b": [3]}
    assert all(claim.is_meta for claim in found.claims.values())
    state = found.read()
    assert torch.equal(state["a"], torch.ones(2))
    assert torch.equal(state["b"], torch.zeros(3))


def test_a_whole_file_goes_before_shards_and_shards_before_others(folder: Path) -> None:
    torch.save({"c": torch.ones(1)}, folder / "training_args.bin")
    assert look_at(folder).keys == ("a", "b")
    save_file({"d": torch.ones(1)}, folder / "model.safetensors")
    assert look_at(folder).keys == ("d",)


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({"a": FIRST, "b": FIRST}, "do not agree about b"),
        ({"a": FIRST, "b": SECOND, "c": SECOND}, "do not agree about c"),
        (
            {"a": FIRST, "b": "gone.safetensors"},
            r"cannot read .*gone.safetensors: No such file.*index.json names it",
        ),
        ({"a": FIRST, "b": f"../{SECOND}"}, "which is no file beside it"),
        ({"a": FIRST, "b": f"/tmp/{SECOND}"}, "which is no file beside it"),
        ({"a": FIRST, "b": f"..\\{SECOND}"}, "which is no file beside it"),
        ({"a": FIRST, "b": "config.json"}, "which is no file beside it"),
        ({"a": FIRST, "b": 3}, "which is no file beside it"),
        ({"a": FIRST, "b": "b" * 300 + ".safetensors"}, "File name too long"),
        ({}, "no index of weights"),
        ([FIRST, SECOND], "no index of weights"),
        ({str(n): f"{n}.safetensors" for n in range(1001)}, "names 1001 files"),
    ],
)
def test_an_index_that_lies_is_refused(folder: Path, places: object, message: str) -> None:
    index(folder, places)
    (folder / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=message):
        look_at(folder)


def test_a_file_that_the_index_leaves_out_is_no_shard(folder: Path) -> None:
    index(folder, {"a": FIRST})
    assert look_at(folder).keys == ("a",)


def test_a_tensor_is_in_one_shard(folder: Path) -> None:
    save_file({"module.a": torch.ones(2)}, folder / SECOND)
    index(folder, {"a": FIRST, "module.a": SECOND})
    with pytest.raises(ModelError, match=f"{SECOND} has a, which another file beside it has"):
        look_at(folder)


def test_the_only_file_of_weights_is_meant(tmp_path: Path) -> None:
    torch.save({"model": {"a": torch.ones(2)}}, tmp_path / "net.pt")
    (tmp_path / "net.yaml").write_text("a: 1")
    found = look_at(tmp_path)
    assert (found.files, found.keys, found.config) == ((tmp_path / "net.pt",), ("a",), None)
    (tmp_path / "config.json").write_text('{"model_type": "net"}')
    assert look_at(tmp_path).config == {"model_type": "net"}
    torch.save({"b": torch.ones(2)}, tmp_path / "other.pth")
    with pytest.raises(ModelError, match=r"2 files of weights \(net.pt, other.pth\); give the one"):
        look_at(tmp_path)


def test_what_pickles_hold_stays_apart(tmp_path: Path) -> None:
    shared = torch.arange(4.0)
    torch.save({"a": shared, "b": shared[1:]}, tmp_path / "net.pt")
    state = look_at(tmp_path / "net.pt").read()
    state["a"].zero_()
    assert torch.equal(state["b"], torch.tensor([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("record", ["data/1", "data.pkl", "/version", "byteorder"])
def test_a_byte_that_was_changed_is_refused(tmp_path: Path, record: str) -> None:
    path = tmp_path / "net.pt"
    torch.save({"a": torch.arange(8.0), "b": torch.arange(4.0)}, path)
    with zipfile.ZipFile(path) as archive:
        (found,) = (each for each in archive.infolist() if each.filename.endswith(record))
        start = found.header_offset + 26
    raw = bytearray(path.read_bytes())
    spot = start + 4 + sum(struct.unpack("<HH", raw[start : start + 4])) + found.file_size - 1
    raw[spot] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ModelError, match=r"net.pt is damaged.*copy it again"):
        look_at(path).read()


def test_the_record_that_was_changed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save({"a": torch.full((8,), 1.5)}, path)
    raw = path.read_bytes()
    path.write_bytes(raw.replace(struct.pack("<f", 1.5), struct.pack("<f", 1.75), 1))
    assert look_at(path).keys == ("a",)  # shapes alone are not compared with anything
    with pytest.raises(ModelError, match=r"net/data/0 is not what was written"):
        look_at(path).read()


def test_files_without_checksums_are_read(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"a": torch.arange(8.0)}, tmp_path / "net.pt")
    finally:
        torch.serialization.set_crc32_options(True)
    assert torch.equal(look_at(tmp_path / "net.pt").read()["a"], torch.arange(8.0))


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.zeros(1).expand(10**6, 10**6), "larger than the file"),
        (torch.empty(8, device="meta"), "no plain tensor"),
        (torch.eye(3).to_sparse(), "no plain tensor"),
    ],
)
def test_what_is_no_array_in_the_file_is_refused(
    tmp_path: Path, tensor: torch.Tensor, message: str
) -> None:
    torch.save({"a": tensor}, tmp_path / "net.pt")
    with pytest.raises(ModelError, match=message):
        look_at(tmp_path / "net.pt")


def test_pipes_are_no_files_of_weights(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="no regular file"):
        look_at(tmp_path)
    with pytest.raises(ModelError):
        look_at(tmp_path / "model.safetensors")
