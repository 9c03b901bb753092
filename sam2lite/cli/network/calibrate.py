"""`sam2lite calibrate`: activation ranges alone."""

import time
from pathlib import Path
from typing import Annotated

import typer

from sam2lite.cli.export import options
from sam2lite.cli.export import quantize_options as quantize
from sam2lite.cli.json_output import ToJson, put_json
from sam2lite.contracts.input_sizes import read_sizes
from sam2lite.errors import OutputError
from sam2lite.files.atomic import check_file


def calibrate(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="File to write.")
    ] = Path("ranges.json"),
    model: options.Model = "tiny",
    variant: options.Variant = None,
    rungs: options.Rungs = None,
    image_sizes: options.ImageSizes = None,
    calib: quantize.Source = None,
    calib_frames: quantize.Frames = None,
    calib_seed: quantize.Seed = 0,
    observer: quantize.Observer = quantize.DEFAULT_OBSERVER,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    as_json: ToJson = None,
) -> None:
    """Write the range of every tensor that INT8 will hold.

    They are observed while the float loop runs over footage.
    One file serves every target: `sam2lite-export ort --int8 --ranges FILE` renders it as each of
    them wants it.
    """
    started = time.perf_counter()
    check_file(str(output), force)
    checkpoint = options.load_model(model, variant)
    given, chosen = options.parse_sizes(rungs, image_sizes), checkpoint.sizes
    if given is not None:
        chosen, aspect = read_sizes(given)
        checkpoint = checkpoint.with_aspect(aspect)
    for size in chosen:
        checkpoint.check_size(size)
    found = quantize.calibrated(
        checkpoint, chosen, calib, calib_frames, calib_seed, observer
    ).ranges
    try:
        found.save(output, force)
    except OSError as error:
        raise OutputError(f"cannot write {output}: {error.strerror}") from None
    seconds = time.perf_counter() - started
    result = {"path": str(output), "seconds": round(seconds, 2), "ranges": len(found.spans)}
    if put_json(as_json, result):
        return
    made = found.provenance
    typer.echo(
        f"{output}: {len(found.spans)} ranges by {made.observer} over {made.frames} frames of "
        f"{made.source} at {', '.join(map(checkpoint.aspect.sides_text, made.rungs))} px, "
        f"{seconds:.1f} s"
    )
