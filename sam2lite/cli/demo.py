"""`sam2lite demo`: the main job end to end, on a video file made for it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from sam2lite.cli.bundles import DEFAULT_MODEL
from sam2lite.staging import staged_folder

CLIP_SEED = 11
FRAMES = 96
FPS = 24.0
CONTACT_SHEET_FRAMES = 12


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

    Writes clip.mp4 (generated, H.264), bundle/, track/ (overlay.mp4, masks, results.json),
    contact_sheet.png and bench.json.
    """
    import cv2

    from sam2lite.benchmarks.bench import BenchOptions, print_report, run_bench
    from sam2lite.cli.export_ort import export_bundle
    from sam2lite.cli.track import track_video
    from sam2lite.runtimes.bundle import open_bundle
    from sam2lite.runtimes.overlay import contact_sheet
    from sam2lite.runtimes.prompts import Prompt
    from sam2lite.runtimes.video_source import open_source
    from sam2lite.training.clips import ClipConfig, first_click, generate_clip, write_video

    with staged_folder(output, force) as folder:
        typer.echo(f"1/4 generating a clip of {FRAMES} frames")
        config = ClipConfig(height=540, width=960, frames=FRAMES)
        clip = generate_clip(CLIP_SEED, config)
        click = first_click(clip, clip.object_ids[0])
        write_video(clip, folder / "clip.mp4", FPS)
        del clip

        typer.echo("2/4 exporting Tiny for this machine: six rungs, every graph checked")
        manifest = export_bundle(DEFAULT_MODEL, "host", folder / "bundle")
        bundle = open_bundle(str(folder / "bundle"))

        typer.echo(f"3/4 tracking the object at {click} within {budget_ms:g} ms a frame")
        prompts = {0: {1: Prompt(points=[click])}}
        track_video(bundle, folder / "clip.mp4", prompts, folder / "track", budget_ms=budget_ms)
        with open_source(str(folder / "track" / "overlay.mp4")) as source:
            overlays = [frame for index, frame in enumerate(source) if index % (FRAMES // 12) == 0]
        cv2.imwrite(str(folder / "contact_sheet.png"), contact_sheet(overlays[:12], 4, 1280))

        typer.echo("4/4 benchmarking 120 frames")
        report = run_bench(bundle, BenchOptions(video=str(folder / "clip.mp4"), frames=120))
        print_report(report)
        (folder / "bench.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    typer.echo(f"results in {output}/:")
