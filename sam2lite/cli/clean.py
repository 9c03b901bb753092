"""`sam2lite clean`: islands and holes of masks that are files already."""

import json
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from sam2lite import __version__
from sam2lite.cli import mask_options
from sam2lite.cli.json_output import ToJson, put_json
from sam2lite.errors import ArgumentError, VideoError
from sam2lite.files.reading import printable
from sam2lite.files.staging import FolderKind, check_replaceable, staged_folder
from sam2lite.runtimes.masks.components import cleaned
from sam2lite.runtimes.masks.options import NOTHING
from sam2lite.runtimes.video.opencv_files import read_picture, write_picture
from sam2lite.runtimes.video.opencv_silence import silence_opencv

NUMBERS_FILE = "cleaned.json"
CLEANED = FolderKind("cleaned masks", NUMBERS_FILE, '"sam2lite_version"', (NUMBERS_FILE, "*.png"))


def clean(
    masks: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Folder of mask PNGs, folders in it included, as `track` writes it."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the cleaned masks.")
    ],
    islands: mask_options.Islands = NOTHING.islands,
    holes: mask_options.Holes = NOTHING.holes,
    force: Annotated[bool, typer.Option("--force", help="Replace the folder.")] = False,
    as_json: ToJson = None,
) -> None:
    """Remove islands and fill holes of mask files.

    Files are PNG and grey, 0 beside the objects; each other value is an object of its own, and
    what it loses or gains is 0 before or after. Names stay as they are.
    """
    if not islands and not holes:
        raise ArgumentError("nothing is to be done; give --remove-islands or --fill-holes")
    check_replaceable(output.resolve(), force, CLEANED)
    silence_opencv()
    files = sorted(masks.rglob("*.png")) if masks.is_dir() else []
    if not files:
        raise VideoError(
            f"there are no PNG files in '{printable(masks)}'; give a folder such as OUT/masks of "
            "`sam2lite track -o OUT`"
        )
    counts: dict[str, Any] = {"files": len(files), "changed": 0, "pixels": 0}
    with staged_folder(output, force, CLEANED) as folder:
        for path in files:
            before = _read(path)
            after = cleaned_labels(before, islands, holes)
            pixels = int(np.count_nonzero(before != after))
            counts["changed"] += pixels > 0
            counts["pixels"] += pixels
            target = folder / path.relative_to(masks)
            target.parent.mkdir(parents=True, exist_ok=True)
            write_picture(target, after)
        numbers = {"sam2lite_version": __version__, "islands": islands, "holes": holes, **counts}
        (folder / NUMBERS_FILE).write_text(json.dumps(numbers, indent=1) + "\n")
    if not put_json(as_json, numbers):
        typer.echo(
            f"{output}: {counts['files']} masks, {counts['changed']} of them changed, "
            f"{counts['pixels']} pixels in all"
        )


def cleaned_labels(labels_hw: NDArray[np.uint8], islands: int, holes: int) -> NDArray[np.uint8]:
    """Return labels whose objects are cleaned one by one; no object gets pixels of another.

    Args:
        labels_hw: uint8 [height, width], 0 where there is no object.
        islands: see `cleaned`.
        holes: see `cleaned`.
    """
    done = labels_hw.copy()
    for value in np.unique(labels_hw[labels_hw > 0]):
        own = done == value
        after = cleaned(own, islands, holes)
        done[own & ~after] = 0
        done[after & (done == 0)] = value
    return done


def _read(path: Path) -> NDArray[np.uint8]:
    picture = read_picture(path, cv2.IMREAD_UNCHANGED, VideoError)
    if picture.ndim != 2 or picture.dtype != np.uint8:
        raise VideoError(
            f"'{printable(path)}' is not a grey picture of 8 bits, which masks are; convert it"
        )
    return np.asarray(picture, np.uint8)
