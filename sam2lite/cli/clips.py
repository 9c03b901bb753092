"""`sam2lite clips`: procedural clips with exact masks, as video files or in the DAVIS layout."""

import json
import time
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sam2lite.cli.json_output import ToJson, put_json
from sam2lite.cli.progress import progress_bar
from sam2lite.errors import ArgumentError
from sam2lite.files.staging import FolderKind, staged_folder

if TYPE_CHECKING:
    from sam2lite.data.clips import Clip

FPS = 24.0
_INDEX = "clips.json"
_CLIPS = FolderKind(
    "generated clips",
    _INDEX,
    '"clips"',
    (_INDEX, "clip_[0-9]*.mp4", "JPEGImages/*", "Annotations/*", "ImageSets/*"),
)


class ClipFormat(StrEnum):
    """What a clip becomes on disk."""

    H264 = "h264"
    DAVIS = "davis"


def clips(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="Folder to write; made if missing."),
    ],
    seed: Annotated[
        int, typer.Option(help="Seed of the first clip; the next ones count up from it.")
    ] = 0,
    count: Annotated[int, typer.Option(help="Number of clips.")] = 1,
    frames: Annotated[int, typer.Option(help="Frames in each clip, at 24 per second.")] = 24,
    size: Annotated[
        str, typer.Option(metavar="WxH", help="Width and height of the frames, px.")
    ] = "256x256",
    clip_format: Annotated[
        ClipFormat,
        typer.Option(
            "--format",
            help="h264: one .mp4 per clip, without masks. davis: JPEG frames and palette PNG "
            "masks, for `sam2lite eval`.",
        ),
    ] = ClipFormat.H264,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the folder if it has anything in it.")
    ] = False,
    as_json: ToJson = None,
) -> None:
    """Make procedural clips with exact masks.

    Textured objects move, deform and hide one another.
    The same seed, size and number of frames give the same clip. `clips.json` in the folder lists
    the objects of each clip, with a click well inside each one.
    """
    from sam2lite.data.clips import ClipConfig, generate_clip, write_davis, write_video

    if count < 1:
        raise ArgumentError(f"--count is {count}; choose 1 or more")
    width, height = _parse_size(size)
    config = ClipConfig(height=height, width=width, frames=frames)
    started = time.perf_counter()
    records: list[dict[str, Any]] = []
    with ExitStack() as stack:
        folder = stack.enter_context(staged_folder(output, force, _CLIPS))
        bar = stack.enter_context(progress_bar())
        for clip_seed in bar.track(range(seed, seed + count), description="clips"):
            name = f"clip_{clip_seed:05d}"
            clip = generate_clip(clip_seed, config)
            if clip_format is ClipFormat.DAVIS:
                write_davis(clip, folder, name)
            else:
                write_video(clip, folder / f"{name}.mp4", FPS)
            records.append({"name": name, "seed": clip_seed, "objects": _describe_objects(clip)})
        result: dict[str, Any] = {
            "schema_version": 1,
            "format": clip_format.value,
            "width": width,
            "height": height,
            "frames": frames,
            "fps": FPS,
            "clips": records,
        }
        (folder / _INDEX).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    seconds = time.perf_counter() - started
    told = {**result, "path": str(output), "seconds": round(seconds, 3)}
    if not put_json(as_json, told):
        typer.echo(f"{output}: {count} clips of {frames} frames, {width}x{height}, {seconds:.1f} s")


def _parse_size(size: str) -> tuple[int, int]:
    width, _, height = size.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ArgumentError(f"--size is {size!r}; give width and height as in 640x480")
    return int(width), int(height)


def _describe_objects(clip: "Clip") -> list[dict[str, Any]]:
    from sam2lite.data.clips import first_click

    return [
        {
            "id": object_id,
            "first_frame": shown[0],
            "visible_frames": len(shown),
            "click_xy": first_click(clip, object_id),
        }
        for object_id in clip.object_ids
        for shown in [clip.visible_frames(object_id)]
    ]
