"""`sam2lite demo`: the main job end to end, on a video file made for it."""

import subprocess
from pathlib import Path
from typing import Annotated

import typer

from sam2lite.cli.app import share_threads
from sam2lite.cli.bundles import export_default
from sam2lite.cli.export.options import DEFAULT_MODEL
from sam2lite.cli.progress import shown_progress
from sam2lite.errors import SessionError
from sam2lite.files.staging import FolderKind, staged_folder
from sam2lite.runtimes.commands.children import environment, running_ours
from sam2lite.runtimes.commands.track_run import track_video
from sam2lite.runtimes.prompts import Prompt

CLIP_SEED = 14
FRAMES = 96
FPS = 24.0
SHEET_FRAMES = 12
SHEET_COLUMNS = 4
SHEET_WIDTH_PX = 1280
BENCH_FRAMES = 80  # with the warm-up, one pass over the clip

RESULTS = {
    "clip.mp4": "the generated video",
    "bundle/": "Tiny in INT8 for this machine; `sam2lite inspect` and `verify` take it",
    "track/overlay.mp4": "the masks on the video",
    "track/results.json": "masks as RLE, scores, milliseconds and the controller, frame by frame",
    "contact_sheet.png": f"{SHEET_FRAMES} frames of the overlay in one picture",
    "bench.json": "the benchmark above",
}

DEMO = FolderKind(
    "a demo",
    "track/results.json",
    '"sam2lite_version"',
    ("clip.mp4", "bundle/*", "track/*", "contact_sheet.png", "bench.json"),
)


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the results.")
    ] = Path("demo"),
    budget_ms: Annotated[
        float, typer.Option("--budget-ms", help="Milliseconds a frame may take.")
    ] = 33.3,
    force: Annotated[bool, typer.Option("--force", help="Replace the folder.")] = False,
) -> None:
    """Make a video, export the default network for this machine, track one click, benchmark.

    Takes two minutes. The folder appears when all of it is done.
    """
    with staged_folder(output, force, DEMO) as folder:
        typer.echo(f"1/4 generating {FRAMES} frames of video")
        click = _write_clip(folder / "clip.mp4")
        typer.echo(f"2/4 exporting {DEFAULT_MODEL} in INT8 for this machine and checking it")
        bundle = export_default(folder / "bundle")
        share_threads(bundle, None)
        typer.echo(f"3/4 tracking the object at {click} within {budget_ms:g} ms a frame")
        prompts = {0: {1: Prompt(points=[click])}}
        clip = folder / "clip.mp4"
        with shown_progress("tracking") as progress:
            summary = track_video(
                bundle, clip, prompts, folder / "track", budget_ms=budget_ms, progress=progress
            )
        typer.echo(f"    {summary['compute_ms']['p50']:.1f} ms a frame in the loop")
        _write_sheet(folder / "track" / "overlay.mp4", folder / "contact_sheet.png")
    typer.echo(f"4/4 benchmarking {BENCH_FRAMES} frames")
    _bench(output)
    for name, description in RESULTS.items():
        typer.echo(f"{output / name}: {description}")
    typer.echo(
        f"{DEFAULT_MODEL} has smoke-test weights, trained on procedural video alone: they follow "
        "clips like this one better than real ones."
    )


def _write_clip(path: Path) -> tuple[int, int]:
    """Write a procedural clip; return a click on its first object, source pixels."""
    from sam2lite.data.clips import ClipConfig, first_click, generate_clip, write_video

    clip = generate_clip(CLIP_SEED, ClipConfig(height=540, width=960, frames=FRAMES))
    write_video(clip, path, FPS)
    x, y = first_click(clip, clip.object_ids[0])
    return int(x), int(y)


def _bench(output: Path) -> None:
    """Run `sam2lite-bench` in a process of its own, which holds no PyTorch and none of its memory.

    Raises:
        SessionError: it failed; it has said why.
    """
    program = running_ours("sam2lite.cli.bundle.bench", "run")
    arguments = ["--bundle", str(output / "bundle"), "--video", str(output / "clip.mp4")]
    arguments += ["--frames", str(BENCH_FRAMES), "--json", str(output / "bench.json")]
    if subprocess.run([*program, *arguments], env=environment(), check=False).returncode:
        raise SessionError("the benchmark failed; see above. The other results are there")


def _write_sheet(overlay: Path, path: Path) -> None:
    from sam2lite.runtimes.video.opencv_files import write_picture
    from sam2lite.runtimes.video.overlay import contact_sheet
    from sam2lite.runtimes.video.source import open_source

    with open_source(str(overlay)) as source:
        frames = [f for index, f in enumerate(source) if index % (FRAMES // SHEET_FRAMES) == 0]
    write_picture(path, contact_sheet(frames, SHEET_COLUMNS, SHEET_WIDTH_PX))
