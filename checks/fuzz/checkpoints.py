"""Checkpoints: their configuration, their weights, and files that are something else."""

import json
import random
import struct
from pathlib import Path
from typing import Any

import torch
from fuzz.kind import CORRECT, Kind
from fuzz.mutations import SPECIAL, mutated_bytes, mutated_json, no_file
from fuzz.small_network import small_checkpoint

from sam2lite.models.registry import load_model

_PREFIXES = ("module.", "_orig_mod.", "module._orig_mod.", "model.")


def prepare(folder: Path) -> Any:
    """Write a checkpoint and return its parts."""
    torch.set_num_threads(1)
    path = small_checkpoint(folder)
    config = json.loads((path / "config.json").read_bytes())
    raw = (path / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    return config, json.loads(raw[8 : 8 + length]), raw[8 + length :]


def mutate(base: Any, rng: random.Random, folder: Path) -> Path:
    """Write a checkpoint with a change of one of its files."""
    config, header, data = base
    path = folder / "network"
    path.mkdir()
    config_file, weights = path / "config.json", path / "model.safetensors"
    config_file.write_text(json.dumps(config))
    weights.write_bytes(_packed(header, data))
    change = rng.random()
    if change < 0.35:
        config_file.write_bytes(mutated_json(config, rng))
    elif change < 0.5:
        weights.write_bytes(mutated_bytes(_packed(header, data), rng))
    elif change < 0.7:
        words = mutated_json(header, rng)
        weights.write_bytes(struct.pack("<Q", len(words)) + words + data)
    elif change < 0.78:
        prefix = rng.choice(_PREFIXES)
        share = rng.choice((1.0, 1.0, 0.5))
        names = {name: prefix + name if rng.random() < share else name for name in header}
        weights.write_bytes(_packed({names[n]: claim for n, claim in header.items()}, data))
    elif change < 0.85:
        numbers = bytearray(data)
        place = 4 * rng.randrange(len(data) // 4)
        numbers[place : place + 4] = struct.pack("<f", rng.choice((float("nan"), float("inf"))))
        weights.write_bytes(_packed(header, bytes(numbers)))
    elif change < 0.9:
        target = rng.choice((config_file, weights))
        target.unlink()
        no_file(target, rng)
    else:
        return _other_file(folder, header, rng)
    return path


def attempt(base: Any, path: Path) -> str:
    """Load it as a command would; its numbers are finite then."""
    loaded = load_model(path)
    finite = all(bool(torch.isfinite(t).all()) for t in loaded.model.state_dict().values())
    return CORRECT if finite else "numbers that are not finite"


def _packed(header: dict[str, Any], data: bytes) -> bytes:
    words = json.dumps(header).encode()
    return struct.pack("<Q", len(words)) + words + data


def _other_file(folder: Path, header: dict[str, Any], rng: random.Random) -> Path:
    path = folder / f"weights{rng.choice(('.pt', '.pth', '.bin', '.ckpt'))}"
    names = list(header)
    content: dict[Any, Any] = {name: torch.zeros(2) for name in names[: rng.randrange(len(names))]}
    kind = rng.randrange(5)
    if kind == 0:
        content = {"model": content, "optimizer": {"state": {}, "param_groups": []}}
    elif kind == 1:
        content[rng.choice((1, "text", ("a", 1)))] = rng.choice(SPECIAL)
    torch.save(content, path, _use_new_zipfile_serialization=kind != 2)
    if kind > 2:
        path.write_bytes(mutated_bytes(path.read_bytes(), rng))
    return path


KIND = Kind("checkpoints", 500, prepare, mutate, attempt)
