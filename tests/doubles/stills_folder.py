"""A small folder of stills, drawn: four sources of different terms, and two clips."""

import json
from pathlib import Path

import cv2
import numpy as np

from sam2lite.data.clips import ClipConfig, Effect, generate_clip
from sam2lite.data.clips.palette_png import encode_palette_png

CONFIG = ClipConfig(
    height=96, width=128, frames=1, objects=(2, 2), object_size=(0.3, 0.5), noise=Effect(0, 0)
)
CLASSES = {
    "things": ("instances", "permissive", 40),
    "clothes": ("parts(union = person)", "permissive annotations: fine at low weight", 12),
    "few": ("object", "customary", 2),
    "secret": ("object", "unclear", 2),
}


def make_stills(root: Path) -> Path:
    """Write the folder."""
    index: dict[str, list[dict[str, object]]] = {"stills": [], "clips": []}
    seed = 0
    for source, (kind, _, count) in CLASSES.items():
        folder = root / "stills" / source
        folder.mkdir(parents=True)
        for number in range(count):
            seed += 1
            clip = generate_clip(seed, CONFIG)
            write_still(folder / f"{number:03d}", clip.frames_rgb_thwc[0], clip.labels_thw[0])
            index["stills"].append({"source": source, "id": f"{number:03d}", "kind": kind})
    for name in ("walk", "run"):
        folder = root / "clips" / "videos" / name
        for inside in ("JPEGImages", "Annotations"):
            (folder / inside).mkdir(parents=True)
        seed += 1
        video = generate_clip(
            seed,
            ClipConfig(height=96, width=128, frames=4, objects=(2, 2), object_size=(0.3, 0.5)),
        )
        for t in range(4):
            cv2.imwrite(
                str(folder / "JPEGImages" / f"{t:05d}.jpg"), video.frames_rgb_thwc[t, ..., ::-1]
            )
            (folder / "Annotations" / f"{t:05d}.png").write_bytes(
                encode_palette_png(video.labels_thw[t])
            )
        index["clips"].append({"source": "videos", "clip": name})
    (root / "index.json").write_text(json.dumps(index))
    rows = [f"| {name} | drawn | {terms} |" for name, (_, terms, _) in CLASSES.items()]
    rows.append("| clips/videos | drawn | customary |")
    table = ["# Sources", "", "| source | what | class |", "|---|---|---|", *rows]
    (root / "SOURCES.md").write_text("\n".join(table))
    return root


def write_still(stem: Path, image_rgb_hwc: np.ndarray, labels_hw: np.ndarray) -> None:
    """Write a photograph and its mask."""
    cv2.imwrite(f"{stem}.jpg", image_rgb_hwc[..., ::-1])
    Path(f"{stem}.png").write_bytes(encode_palette_png(labels_hw))
