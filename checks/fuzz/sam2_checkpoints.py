"""Checkpoints of SAM 2: pickles, folders of Hugging Face, shards, and parts that are mixed up."""

import json
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import torch
from fuzz.kind import CORRECT, Kind
from fuzz.mutations import SPECIAL, mutated_bytes, mutated_json, no_file
from safetensors.torch import save

from sam2lite.models.registry import load_model
from sam2lite.models.sam2.config import HieraConfig, Sam2Config
from sam2lite.models.sam2.network import build
from tests.oracles.hugging_face import hugging_face_config
from tests.oracles.names import hugging_face_state

_CONFIG = Sam2Config("", HieraConfig(16, 1, (1, 1, 1, 1), (8, 4, 14, 7), (2,)))
_PICKLE = "data.pkl"


def prepare(folder: Path) -> Any:
    """Make weights in half precision: the fixed parts have 12 million numbers."""
    torch.set_num_threads(1)
    state = {name: t.half() for name, t in build(_CONFIG, seed=3).state_dict().items()}
    torch.save({"model": state}, folder / "net.pt")
    raw = save({name: t.clone() for name, t in hugging_face_state(state).items()})
    (length,) = struct.unpack("<Q", raw[:8])
    config = json.loads(hugging_face_config(_CONFIG, 256).to_json_string())
    pickled = (folder / "net.pt").read_bytes()
    return state, pickled, config, json.loads(raw[8 : 8 + length]), raw[8 + length :]


def mutate(base: Any, rng: random.Random, folder: Path) -> Path:
    """Write a checkpoint with something changed."""
    state, pickled, config, header, data = base
    path = folder / "net.pt"
    change = rng.random()
    if change < 0.2:
        path.write_bytes(mutated_bytes(pickled, rng))
    elif change < 0.45:
        path.write_bytes(pickled)
        _change_pickle(path, rng)
    elif change < 0.55:
        torch.save({"model": _mixed_up(state, rng)}, path)
    else:
        return _huggingface(folder / "net", config, header, data, rng)
    return path


def attempt(base: Any, path: Path) -> str:
    """Load it as a command would; the network is whole and its numbers finite then."""
    loaded = load_model(path)
    tensors = loaded.model.state_dict().values()
    whole = all(not t.is_meta and t.dtype == torch.float32 for t in tensors)
    finite = whole and all(bool(torch.isfinite(t).all()) for t in tensors)
    return CORRECT if finite else "numbers that are not finite, or none"


def _change_pickle(path: Path, rng: random.Random) -> None:
    """Change bytes of the pickle in an archive, which stays an archive."""
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    kind = rng.choice((zipfile.ZIP_STORED,) * 9 + (zipfile.ZIP_DEFLATED,))
    with zipfile.ZipFile(path, "w") as archive:
        for name, raw in records.items():
            changed = mutated_bytes(raw, rng) if name.endswith(_PICKLE) else raw
            archive.writestr(name, changed, kind if name.endswith(_PICKLE) else None)


def _mixed_up(state: dict[str, Any], rng: random.Random) -> dict[Any, Any]:
    """Rename, leave out, exchange or replace a few tensors."""
    mixed: dict[Any, Any] = dict(state)
    for _ in range(rng.choice((1, 1, 2, 8))):
        name, other = rng.choice(list(state)), rng.choice(list(state))
        tensor = state[name]
        replaced = rng.choice(
            (
                state[other],
                tensor.flatten(),
                tensor[:0],
                tensor.int(),
                tensor.to_sparse() if tensor.dim() else tensor,
                tensor[:1].expand(1 << 40, *tensor.shape[1:]),
                torch.full_like(tensor, float("nan")),
                rng.choice(SPECIAL),
            )
        )
        mixed[rng.choice((name, name, f"module.{name}", "x"))] = replaced
        if rng.random() < 0.3:
            mixed.pop(other, None)
    return mixed


def _huggingface(path: Path, config: Any, header: Any, data: bytes, rng: random.Random) -> Path:
    path.mkdir()
    config_file, weights = path / "config.json", path / "model.safetensors"
    index = path / "model.safetensors.index.json"
    config_file.write_text(json.dumps(config))
    weights.write_bytes(_packed(header, data))
    change = rng.random()
    if change < 0.4:
        config_file.write_bytes(mutated_json(config, rng))
    elif change < 0.6:
        words = mutated_json(header, rng)
        weights.write_bytes(struct.pack("<Q", len(words)) + words + data)
    elif change < 0.9:
        shard = weights.rename(path / "model-00001-of-00001.safetensors")
        places = {name: shard.name for name in header if name != "__metadata__"}
        index.write_bytes(mutated_json({"metadata": {}, "weight_map": places}, rng))
    else:
        target = rng.choice((config_file, weights))
        target.unlink()
        no_file(target, rng)
    return path


def _packed(header: Any, data: bytes) -> bytes:
    words = json.dumps(header).encode()
    return struct.pack("<Q", len(words)) + words + data


KIND = Kind("sam2_checkpoints", 300, prepare, mutate, attempt)
