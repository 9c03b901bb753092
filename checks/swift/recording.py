"""Record runs of the Python loop with a small network, for the Swift loop to run again.

recording/CLIP/manifest.json        as an app would carry it, with empty NAME.mlmodelc folders
recording/CLIP/clip.json            frames, steps with what they decided, graph calls in order
recording/CLIP/tensors.bin          float32, little-endian; clip.json says where each one is
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from swift.clips import Arrays, Clip, Edit, Step

from sam2lite.contracts.manifest import MANIFEST_FILE, Manifest
from sam2lite.exporter.bundle.writer import write_bundle
from sam2lite.models.sam2lite.config import Sam2LiteConfig, StageConfig
from sam2lite.models.sam2lite.family import HOST
from sam2lite.models.sam2lite.network import build
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.results import ObjectResult
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.runtimes.session import Session
from sam2lite.targets.registry import get_target, host_target

# A hundredth of Tiny; a bank of four frames, so that a short clip fills it.
NETWORK = Sam2LiteConfig(
    name="swift-check",
    stages=(
        StageConfig(8, "c"),
        StageConfig(16, "c"),
        StageConfig(24, "c"),
        StageConfig(32, "a", mlp_ratio=1),
    ),
    embed_dim=32,
    skip_dims=(8, 8),
    attention_dim=16,
    mix_dim=16,
    query_mlp_dim=32,
    memory_dim=16,
    memory_blocks=1,
    budget=128,
    base_size=160,
)
SEED = 3
# What no frame keeps: the Swift controller then goes down to the lowest rung.
NO_BUDGET_MS = 1e-6
CLIP_FILE, TENSORS_FILE = "clip.json", "tensors.bin"


class Tape:
    """Everything that is written of one clip; equal tensors are written once."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.edits: Mapping[tuple[str, int], Edit] = {}
        self._seen: Counter[str] = Counter()
        self._bytes = bytearray()
        self._places: dict[str, dict[str, Any]] = {}

    def begin(self, edits: Mapping[tuple[str, int], Edit]) -> None:
        """Take what is planted in the next step."""
        self.edits = edits
        self._seen.clear()

    def call(self, key: str, inputs: Mapping[str, np.ndarray], outputs: Arrays) -> None:
        """Plant what is due in what a graph gave, and write the call down."""
        graph = key.partition("@")[0]
        edit = self.edits.get((graph, self._seen[graph]))
        self._seen[graph] += 1
        if edit is not None:
            edit(outputs)
        self.calls.append(
            {
                "key": key,
                "inputs": {name: self.tensor(array) for name, array in inputs.items()},
                "outputs": {name: self.tensor(array) for name, array in outputs.items()},
                "integers": [name for name, array in outputs.items() if array.dtype == np.int32],
            }
        )

    def tensor(self, array: np.ndarray) -> dict[str, Any]:
        """Return where an array is written: its first float and its shape."""
        plain = np.ascontiguousarray(array, "<f4")
        name = hashlib.sha256(plain.tobytes() + str(plain.shape).encode()).hexdigest()
        if name not in self._places:
            self._places[name] = {"start": len(self._bytes) // 4, "shape": list(plain.shape)}
            self._bytes += plain.tobytes()
        return self._places[name]

    def write(self, folder: Path, clip: Mapping[str, Any]) -> None:
        """Write the clip's two files."""
        (folder / TENSORS_FILE).write_bytes(self._bytes)
        (folder / CLIP_FILE).write_text(json.dumps({**clip, "calls": self.calls}) + "\n")


class TapedSession(Session):
    """A session whose calls go to a tape."""

    def __init__(self, key: str, inner: Session, tape: Tape) -> None:
        super().__init__(inner.spec)
        self._key = key
        self._inner = inner
        self._tape = tape

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """See `Session`; what comes out is on the host."""
        given = self._inner.run(inputs)
        outputs = {name: self._inner.numpy(handle).copy() for name, handle in given.items()}
        self._tape.call(self._key, inputs, outputs)
        return outputs

    def _close(self) -> None:
        self._inner.close()


class TapedBundle(Bundle):
    """A bundle whose sessions share a tape."""

    def __init__(self, inner: Bundle, tape: Tape) -> None:
        super().__init__(inner.path, inner.manifest, inner.sha256, inner.backend)
        self._tape = tape

    def open_session(
        self, key: str, threads: int | None = None, provider: str | None = None
    ) -> Session:
        """See `Bundle`."""
        return TapedSession(key, super().open_session(key, threads, provider), self._tape)


def export(folder: Path, rungs: tuple[int, ...]) -> None:
    """Export the small network for this machine."""
    network = HOST.untrained(build(NETWORK, SEED), NETWORK)
    write_bundle(network, host_target(), folder, rungs=rungs)


def frames_of(clip: Clip) -> list[np.ndarray]:
    """Return the clip's frames, BGR: blobs that move over a gradient, with a little noise."""
    draw = np.random.RandomState(11)
    y, x = np.mgrid[0 : clip.height, 0 : clip.width]
    u, v = x / clip.width, y / clip.height
    frames = []
    for index in range(sum(step.do == "start" for step in clip.steps)):
        frame = np.stack([70 + 90 * u, 60 + 80 * v, 150 - 70 * u * v], axis=-1)
        for start, speed, colour in ((0.34, 0.012, (20, 200, 230)), (0.7, -0.01, (235, 40, 90))):
            distance = np.hypot(u - start - speed * index, v - 0.45) / 0.17
            frame[distance < 1] = colour
        frame += draw.normal(0, 6, frame.shape)
        frames.append(np.clip(frame, 0, 255).astype(np.uint8))
    return frames


def record(clip: Clip, bundle_folder: Path, folder: Path) -> None:
    """Run a clip and write its recording into a new folder."""
    folder.mkdir(parents=True)
    bundle = open_bundle(str(bundle_folder))
    tape = Tape()
    frames = frames_of(clip)
    steps, index, tracked = [], -1, 0
    with VideoSegmenter(TapedBundle(bundle, tape), rung=clip.rungs[-1]) as segmenter:
        for step in clip.steps:
            tape.begin(step.edits)
            if step.do == "start":
                index += 1
                if tracked == clip.falls_after:
                    segmenter.set_rung(clip.rungs[0])
            tracked += step.do == "track"
            results = _taken(segmenter, step, frames, index)
            shown = {str(key): _decision(result, tape) for key, result in results.items()}
            plain = {"do": step.do, "id": step.id, "points": step.points, "labels": step.labels}
            steps.append({**plain, "box": step.box, "calls": len(tape.calls), "shown": shown})
    tape.write(
        folder,
        {
            "budget_ms": None if clip.falls_after is None else NO_BUDGET_MS,
            "size": [clip.width, clip.height],
            "frames": [tape.tensor(frame) for frame in frames],
            "steps": steps,
        },
    )
    _write_app(manifest_of(clip, bundle.manifest), folder)


def _taken(
    segmenter: VideoSegmenter, step: Step, frames: list[np.ndarray], index: int
) -> dict[int, ObjectResult]:
    if step.do == "prompt":
        shown = segmenter.prompt(
            frames[index],
            step.id,
            points=step.points or None,
            labels=step.labels or None,
            box=step.box,
            frame_index=index,
        )
        return {step.id: shown}
    if step.do == "track":
        return segmenter.track(frames[index], frame_index=index).objects
    if step.do == "remove":
        segmenter.remove(step.id)
    return {}


def _decision(result: ObjectResult, tape: Tape) -> dict[str, Any]:
    return {
        "numbers": tape.tensor(np.array([result.iou, result.object_score])),
        "visible": result.visible,
        "lost": result.lost,
        "logits": tape.tensor(result.logits),
        "mask": tape.tensor(result.mask),
    }


def manifest_of(clip: Clip, manifest: Manifest) -> Manifest:
    """Return the manifest of a Core ML bundle of the same graphs."""
    target = get_target(clip.target)
    assert target.coreml is not None
    graphs = {}
    for key, entry in manifest.graphs.items():
        name, _, size = key.partition("@")
        if target.coreml.multifunction and size:
            file, function = name, f"r{size}"
        else:
            file, function = key.replace("@", "_"), None
        graphs[key] = entry._replace(file=f"graphs/{file}.mlpackage", function=function)
    return manifest._replace(backend="coreml", target=target.to_json(), graphs=graphs, files={})


def _write_app(manifest: Manifest, folder: Path) -> None:
    """Write what Xcode would have put into an app, for doubles that load nothing."""
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest.to_json()) + "\n")
    for entry in manifest.graphs.values():
        (folder / Path(entry.file).with_suffix(".mlmodelc").name).mkdir(exist_ok=True)
