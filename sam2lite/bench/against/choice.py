"""Which backend was measured to be the faster one on this machine, kept for who exports for it.

No data sheet says which runtime to take: it changes with the chip, the network, the precision and
the releases. So there is no advice until somebody has measured, and what was measured is told with
what it was measured on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sam2lite.bench.against.turns import are_level
from sam2lite.errors import OutputError, Sam2LiteError
from sam2lite.files.atomic import replacing
from sam2lite.files.json_reading import read_json
from sam2lite.runtimes.cache import cache_dir
from sam2lite.targets.machine import read_machine

FILE = "faster-backend.json"
HOW = (
    "whether it or ONNX Runtime is faster on this machine was not measured: make a bundle for "
    "each, and run sam2lite-bench --bundle A --against B"
)


def keep(
    network: str, precision: str, size: int, threads: int, frame_ms: Mapping[str, float]
) -> None:
    """Remember what a frame took in each backend here; what was known of the same is replaced.

    Nothing is said where the cache cannot be written: the measurement was shown.

    Args:
        network: its name.
        precision: of the bundles.
        size: of the input, px.
        threads: of each.
        frame_ms: median of a frame by backend, ms.
    """
    entry = {
        "machine": _machine(),
        "network": network,
        "precision": precision,
        "size": size,
        "threads": threads,
        "frame_ms": dict(frame_ms),
    }
    same = ("machine", "network", "precision")
    kept = [old for old in _read() if any(old[key] != entry[key] for key in same)]
    try:
        _path().parent.mkdir(parents=True, exist_ok=True)
        with replacing(str(_path())) as partial:
            text = json.dumps([*kept, entry], indent=1) + "\n"
            Path(partial).write_text(text, encoding="utf-8")
    except (OSError, OutputError):
        return


def advice(network: str | None = None, precision: str | None = None) -> str | None:
    """Return a sentence about what is faster here, by the newest measurement; None without one.

    Args:
        network: that it is to be of; any if not given.
        precision: that it is to be in; any if not given.
    """
    for entry in reversed(_read()):
        if entry["machine"] != _machine():
            continue
        if network not in (None, entry["network"]) or precision not in (None, entry["precision"]):
            continue
        ranked = sorted(entry["frame_ms"].items(), key=lambda pair: float(pair[1]))
        times = ", ".join(f"{backend} {ms:.1f} ms" for backend, ms in ranked)
        what = f"{entry['network']} in {entry['precision']} at {entry['size']} px"
        take = f"take sam2lite-export {ranked[0][0]}"
        if are_level(ranked[0][1], ranked[1][1]):
            take = "they are level, take either"
        return (
            f"measured on this machine, {what}, {entry['threads']} threads: {times} a frame; {take}"
        )
    return None


def _machine() -> str:
    machine = read_machine()
    return f"{machine.model}, {machine.cores} cores"


def _path() -> Path:
    return Path(cache_dir()) / FILE


def _read() -> list[dict[str, Any]]:
    """Return what is known; nothing where the file is not there, or is not ours."""
    try:
        entries = read_json(str(_path()), Sam2LiteError, "it is measured anew")
        return [entry for entry in entries if _is_whole(entry)]
    except (Sam2LiteError, TypeError):
        return []


def _is_whole(entry: Any) -> bool:
    words = ("machine", "network", "precision")
    return (
        isinstance(entry, dict)
        and all(isinstance(entry.get(key), str) for key in words)
        and all(isinstance(entry.get(key), int) for key in ("size", "threads"))
        and isinstance(entry.get("frame_ms"), dict)
        and len(entry["frame_ms"]) > 1
        and all(isinstance(ms, (int, float)) for ms in entry["frame_ms"].values())
    )
