"""`sam2lite demo`: the main job end to end, on a video file made for it."""

import subprocess
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from sam2lite.cli.app import share_threads
from sam2lite.cli.bundle.report import write_report
from sam2lite.cli.bundles import export_default
from sam2lite.cli.export.options import DEFAULT_MODEL
from sam2lite.cli.progress import ShownProgress, shown_progress
from sam2lite.contracts.provenance import SMOKE_TEST
from sam2lite.errors import ArgumentError, SessionError
from sam2lite.files.staging import FolderKind, staged_folder
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.commands.children import environment, running_ours
from sam2lite.runtimes.commands.prompt_flags import parse_prompts
from sam2lite.runtimes.commands.track_run import track_video
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.video.source import open_source

FRAMES = 96
FPS = 24.0
SHEET_FRAMES = 12
SHEET_COLUMNS = 4
SHEET_WIDTH_PX = 1280
BENCH_FRAMES = 80  # with the warm-up, one pass over the clip

OWN_FRAMES = 240  # of a video of the user's: enough to see how it goes

Click = tuple[float, float]  # x, y in px of the video

GENERATED = {"clip.mp4": "the generated video"}
RESULTS = {
    "bundle/": "the network for this machine; `sam2lite inspect` and `verify` take it",
    "track/overlay.mp4": "the masks on the video",
    "track/results.json": "masks as RLE, scores, milliseconds and the controller, frame by frame",
    "contact_sheet.png": f"{SHEET_FRAMES} frames of the overlay in one picture",
    "bench.json": "the benchmark above",
    "report.html": "all of it as a page",
}

DEMO = FolderKind(
    "a demo",
    "track/results.json",
    '"sam2lite_version"',
    ("clip.mp4", "bundle/*", "track/*", "contact_sheet.png", "bench.json", "report.html"),
)


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the results.")
    ] = Path("demo"),
    video: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=f"Your own video, of which the first {OWN_FRAMES} frames are tracked.",
            show_default="one is generated",
        ),
    ] = None,
    point: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y",
            help="Click on the first frame of --video.",
            show_default="its centre",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="Your own network, such as a SAM 2 checkpoint; it is exported in FP32.",
            show_default=f"{DEFAULT_MODEL} in INT8",
        ),
    ] = None,
    budget_ms: Annotated[
        float, typer.Option("--budget-ms", help="Milliseconds a frame may take.")
    ] = 33.3,
    force: Annotated[bool, typer.Option("--force", help="Replace the folder.")] = False,
) -> None:
    """Show the main job end to end, on a clip made for it.

    Takes two minutes; with a video or a network of your own, as long as that needs. The folder
    appears when all but the benchmark is done.
    """
    if point is not None and video is None:
        raise ArgumentError(f"--point {point} is on a video of your own; give it with --video")
    with staged_folder(output, force, DEMO) as folder:
        clip, click = _own_video(video, point) if video else _generated(folder / "clip.mp4")
        bundle = _exported(model, folder / "bundle")
        share_threads(bundle, None)
        typer.echo(f"3/4 tracking the object at {click} within {budget_ms:g} ms a frame")
        prompts = {0: {1: Prompt(points=[click])}}
        with shown_progress("tracking") as progress:
            summary = track_video(
                bundle,
                clip,
                prompts,
                folder / "track",
                budget_ms=budget_ms,
                frames=OWN_FRAMES if video else None,
                progress=progress,
            )
        typer.echo(f"    {summary['compute_ms']['p50']:.1f} ms a frame in the loop")
        _write_sheet(
            folder / "track" / "overlay.mp4", folder / "contact_sheet.png", summary["frames"]
        )
    typer.echo(f"4/4 benchmarking {BENCH_FRAMES} frames")
    _bench(output, video or output / "clip.mp4")
    write_report(
        output / "bundle", output / "report.html", [output / "bench.json"], track=output / "track"
    )
    for name, description in {**({} if video else GENERATED), **RESULTS}.items():
        typer.echo(f"{output / name}: {description}")
    typer.echo(f"weights of {bundle.manifest.model.name}: {bundle.manifest.model.provenance}")
    if bundle.manifest.model.weights == SMOKE_TEST:
        typer.echo(
            f"{DEFAULT_MODEL} has smoke-test weights, trained on procedural video alone: they "
            "follow clips like the generated one better than real ones."
        )


def _generated(path: Path) -> tuple[Path, Click]:
    typer.echo(f"1/4 generating {FRAMES} frames of video")
    return path, _write_clip(path)


def _own_video(path: Path, point: str | None) -> tuple[Path, Click]:
    """Return a video and the click on its first frame.

    Raises:
        PromptError: the click cannot be read, or is beside the frame.
        VideoError: the video cannot be read.
    """
    with open_source(str(path)) as source:
        width, height = source.width, source.height
    typer.echo(f"1/4 the video is {path}, {width}x{height}")
    if point is None:
        return path, (width // 2, height // 2)
    (prompt,) = parse_prompts([point], [], [], None)[0].values()
    prompt = prompt.inside(width, height)
    x, y = prompt.points_xy[0].tolist()
    return path, (x, y)


def _exported(model: str | None, path: Path) -> Bundle:
    """Export the default network in INT8, or one of the user's in FP32."""
    if model is None:
        typer.echo(f"2/4 exporting {DEFAULT_MODEL} in INT8 for this machine and checking it")
        return export_default(path)
    from sam2lite.exporter.export import export
    from sam2lite.exporter.recipe import Recipe

    typer.echo(f"2/4 exporting {model} in FP32 for this machine and checking it")
    recipe = Recipe(model=model, precision="fp32", output=path, force=True)
    return export(recipe, ShownProgress())


def _write_clip(path: Path) -> tuple[int, int]:
    """Write a procedural clip; return a click on its first object, source pixels."""
    from sam2lite.data.clips import first_click, generate_clip, write_video
    from sam2lite.data.clips.presets import DEMO_SEED, demo_config

    clip = generate_clip(DEMO_SEED, demo_config(540, 960, FRAMES))
    write_video(clip, path, FPS)
    x, y = first_click(clip, clip.object_ids[0])
    return int(x), int(y)


def _bench(output: Path, video: Path) -> None:
    """Run `sam2lite-bench` in a process of its own, which holds no PyTorch and none of its memory.

    Args:
        output: the folder of the demo.
        video: what is tracked.

    Raises:
        SessionError: it failed; it has said why.
    """
    program = running_ours("sam2lite.cli.bundle.bench", "run")
    arguments = ["--bundle", str(output / "bundle"), "--video", str(video)]
    arguments += ["--frames", str(BENCH_FRAMES), "--json", str(output / "bench.json")]
    if subprocess.run([*program, *arguments], env=environment(), check=False).returncode:
        raise SessionError("the benchmark failed; see above. The other results are there")


def _write_sheet(overlay: Path, path: Path, frames: int) -> None:
    from sam2lite.runtimes.video.opencv_files import write_picture
    from sam2lite.runtimes.video.overlay import contact_sheet

    with open_source(str(overlay)) as source:
        step = max(1, frames // SHEET_FRAMES)
        shown = list(islice(source, 0, step * SHEET_FRAMES, step))
    write_picture(path, contact_sheet(shown, SHEET_COLUMNS, SHEET_WIDTH_PX))
