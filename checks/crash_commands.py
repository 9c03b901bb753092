"""The commands that crash.py kills, on networks and clips that take seconds."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sam2lite.data.clips import ClipConfig, first_click, generate_clip, write_davis, write_video
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.network import build
from sam2lite.runtimes.bundle import open_bundle, read_manifest
from sam2lite.runtimes.commands.children import running_file
from tests.conftest import MINI

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(sys.executable).parent
DOUBLES = ROOT / "tests" / "doubles"
FRAMES = 24
STEPS = 4


@dataclass(frozen=True)
class Command:
    """A command and how its output is judged.

    Attributes:
        name: in the table.
        line: makes the command line of an output.
        complete: says what is wrong with an output; nothing if it is whole.
        outputs: what it writes in whole, relative to the output; `""` is the output itself.
        again: options with which it writes where it has written before.
        graceful: whether it may end well, its work saved, when it is told to stop.
        environment: variables beside ours.
        prepare: makes what must be there before the first run.
    """

    name: str
    line: Callable[[Path], list[str]]
    complete: Callable[[Path], str]
    outputs: Sequence[str] = ("",)
    again: Sequence[str] = ("--force",)
    graceful: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    prepare: Callable[[Path], object] = lambda output: None


def commands(folder: Path) -> list[Command]:
    """Return the commands; what they read is written to a folder, which takes half a minute."""
    start, clip = folder / "start", folder / "clip.mp4"
    save_checkpoint(build(MINI, seed=3), start)
    made = generate_clip(14, ClipConfig(height=120, width=160, frames=FRAMES))
    write_video(made, clip, 24.0)
    x, y = first_click(made, made.object_ids[0])
    for seed in range(2):
        write_davis(
            generate_clip(seed, ClipConfig(height=96, width=96, frames=8)),
            folder / "data",
            f"clip{seed}",
        )
    export = [str(PROGRAMS / "sam2lite-export"), "ort", "--model", str(start), "--rungs", "240"]
    track = [str(PROGRAMS / "sam2lite"), "track", "--bundle", str(folder / "bundle")]
    track += ["--video", str(clip), "--point", f"{int(x)},{int(y)}"]
    train = [str(PROGRAMS / "sam2lite"), "train", "--from", str(start), "--processes", "1"]
    train += ["--data", str(folder / "data"), "--stages", "1", "--steps", str(STEPS)]
    board = {
        "PYTHONPATH": str(DOUBLES / "on_path"),
        "CUDA_DOUBLE": json.dumps(["NVIDIA Tegra X1", "5.3", 4 << 30]),
        "TENSORRT_DOUBLE": json.dumps({"release": "8.2", "layers": []}),
    }
    return [
        Command("export", lambda output: [*export, "-o", str(output)], _bundle),
        Command("track", lambda output: [*track, "-o", str(output)], _track),
        Command(
            "train",
            lambda output: [*train, "-o", str(output)],
            _run,
            ("state.safetensors", "checkpoint", "options.json"),
            graceful=True,
        ),
        Command(
            "build",
            lambda output: [*running_file(str(output / "device.pyz")), "build"],
            _engines,
            ("engines/*",),
            environment=board,
            prepare=_board_bundle,
        ),
    ]


def tree(path: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a folder, by its relative path."""
    return {
        str(each.relative_to(path)): hashlib.sha256(each.read_bytes()).hexdigest()
        for each in sorted(path.rglob("*"))
        if each.is_file()
    }


def _bundle(output: Path) -> str:
    manifest, _ = read_manifest(str(output))
    for name, entry in manifest.files.items():
        if hashlib.sha256((output / name).read_bytes()).hexdigest() != entry.sha256:
            return f"{name} is not what the manifest says"
    open_bundle(str(output))
    return ""


def _track(output: Path) -> str:
    frames = json.loads((output / "results.json").read_text())["frames"]
    masks = len(list(output.glob("masks/1/*.png")))
    whole = len(frames) == masks == FRAMES and (output / "overlay.mp4").stat().st_size
    return "" if whole else f"{len(frames)} frames and {masks} masks of {FRAMES}"


def _run(output: Path) -> str:
    """Whatever is there can be read; a run that was killed early has less."""
    from sam2lite.models.sam2lite.family import HOST
    from sam2lite.training.run.folder import OPTIONS_FILE
    from sam2lite.training.run.state import STATE_FILE, read_progress

    if (output / OPTIONS_FILE).exists():
        json.loads((output / OPTIONS_FILE).read_text())
    if (output / STATE_FILE).exists():
        read_progress(output)
    if (output / "checkpoint").exists():
        HOST.load(output / "checkpoint")
    return ""


def _engines(output: Path) -> str:
    """Whatever `engines.json` names is there."""
    from sam2lite.runtimes.backends.tensorrt.engines import read_engines

    for key, entry in read_engines(str(output)).items():
        content = (output / "engines" / entry.file).read_bytes()
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            return f"the engine of {key} is not what engines.json says"
    return ""


def _board_bundle(output: Path) -> object:
    sys.path.insert(0, str(ROOT))
    from tests.doubles.trt_bundle import write_trt_bundle

    return write_trt_bundle(output)
