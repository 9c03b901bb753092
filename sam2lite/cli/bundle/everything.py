"""`sam2lite everything`: masks of all that is on a picture, without a click."""

import json
from pathlib import Path
from typing import Annotated

import cv2
import typer

from sam2lite import __version__
from sam2lite.cli import mask_options, prompted_video
from sam2lite.cli.app import share_threads
from sam2lite.cli.bundles import Backend, bundle_or_default
from sam2lite.cli.json_output import ToJson, put_json
from sam2lite.cli.progress import shown_progress
from sam2lite.cli.prompted_video import warn
from sam2lite.cli.simulated import simulated_elsewhere
from sam2lite.errors import VideoError
from sam2lite.files.names import public_name
from sam2lite.files.staging import FolderKind, check_replaceable, staged_folder
from sam2lite.runtimes import rle
from sam2lite.runtimes.masks.coco import coco_data
from sam2lite.runtimes.masks.everything import (
    FILTERS,
    MOST_POINTS_PER_SIDE,
    POINTS_PER_SIDE,
)
from sam2lite.runtimes.masks.everything import everything as found_on
from sam2lite.runtimes.masks.options import Cleaning
from sam2lite.runtimes.masks.picture import draw_everything
from sam2lite.runtimes.video.opencv_files import read_picture, write_picture
from sam2lite.runtimes.video.opencv_silence import silence_opencv

MASKS_FILE = "masks.json"
OVERLAY_FILE = "overlay.png"
_PNG_FOLDER = "png"
EVERYTHING = FolderKind(
    "the masks of a picture",
    MASKS_FILE,
    '"sam2lite_version"',
    (MASKS_FILE, OVERLAY_FILE, _PNG_FOLDER + "/*.png"),
)


def everything(
    image: Annotated[Path, typer.Option(metavar="FILE", help="A picture: PNG, JPEG, BMP or WebP.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the masks.")
    ],
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="What finds them.", show_default="Tiny, made once"),
    ] = None,
    points_per_side: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            max=MOST_POINTS_PER_SIDE,
            help="Clicks in a row and in a column of the grid.",
        ),
    ] = POINTS_PER_SIDE,
    min_iou: mask_options.MinIou = FILTERS.min_iou,
    min_stability: mask_options.MinStability = FILTERS.min_stability,
    box_nms: mask_options.BoxNms = FILTERS.box_nms,
    islands: mask_options.Islands = FILTERS.islands,
    holes: mask_options.Holes = FILTERS.holes,
    rung: prompted_video.Rung = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads.", show_default="the target's")
    ] = None,
    backend: Backend = None,
    png: Annotated[bool, typer.Option("--png", help="Write a PNG file a mask, too.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the folder.")] = False,
    as_json: ToJson = None,
) -> None:
    """Find masks of everything on a picture.

    They are those of a grid of clicks. Writes masks.json in COCO's layout, with the fields of
    SA-1B (segmentation as RLE, bbox, area, predicted_iou, stability_score, point_coords), and
    overlay.png. The picture is encoded once, and every click decoded by itself: four times the
    clicks take four times as long.
    """
    check_replaceable(output.resolve(), force, EVERYTHING)
    silence_opencv()
    picture_bgr = read_picture(image, cv2.IMREAD_COLOR, VideoError)
    opened = simulated_elsewhere(bundle_or_default(bundle, backend))
    share_threads(opened, threads)
    if not opened.manifest.model.trained:
        warn(f"the weights of {opened.manifest.model.name!r} are untrained; its masks mean nothing")
    cleaning = Cleaning(islands, holes, min_iou, min_stability, box_nms)
    with shown_progress("clicks") as progress:
        advance = progress(points_per_side**2)
        masks = found_on(opened, picture_bgr, points_per_side, cleaning, rung, threads, advance)
    info = {
        "sam2lite_version": __version__,
        "bundle_sha256": opened.sha256,
        "model": opened.manifest.model.name,
        "precision": opened.manifest.precision,
        "input_px": rung or opened.manifest.rungs[-1],
        "points_per_side": points_per_side,
        **cleaning._asdict(),
    }
    height, width = picture_bgr.shape[:2]
    data = coco_data(masks, public_name(str(image)), width, height, info)
    with staged_folder(output, force, EVERYTHING) as folder:
        (folder / MASKS_FILE).write_text(json.dumps(data) + "\n")
        write_picture(folder / OVERLAY_FILE, draw_everything(picture_bgr, masks))
        if png:
            (folder / _PNG_FOLDER).mkdir()
            for number, found in enumerate(masks, 1):
                mask_hw = rle.decode(found.rle).astype("uint8") * 255
                write_picture(folder / _PNG_FOLDER / f"{number:04d}.png", mask_hw)
    if not put_json(as_json, data):
        typer.echo(f"{output / MASKS_FILE}: {len(masks)} masks of {points_per_side**2} clicks")
    if not masks:
        warn("no mask was good enough; lower --min-iou or --min-stability")
