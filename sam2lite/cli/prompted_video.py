"""What `track` and `compare` share: the video, and what is pointed out in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from sam2lite.cli.prompt_flags import BOX_FORM, MASK_FORM, POINT_FORM, parse_prompts
from sam2lite.contracts.loop import MAX_OBJECTS
from sam2lite.errors import ArgumentError, PromptError
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.results import FrameResult
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.runtimes.video_source import FrameSource

Points = Annotated[
    list[str] | None,
    typer.Option(
        "--point",
        metavar=POINT_FORM,
        help="Click on the first frame, in its pixels; label 0 is beside the object. Repeatable.",
    ),
]
Boxes = Annotated[
    list[str] | None,
    typer.Option("--box", metavar=BOX_FORM, help="Box on the first frame. Repeatable."),
]
Masks = Annotated[
    list[str] | None,
    typer.Option(
        "--mask",
        metavar=MASK_FORM,
        help="Mask of the first frame, not 0 on the object. Repeatable.",
    ),
]
PromptsFile = Annotated[
    Path | None,
    typer.Option("--prompts", metavar="FILE.json", help="Prompts for any frames and objects."),
]
Frames = Annotated[
    int | None, typer.Option(min=1, help="Stop after so many frames.", show_default="all")
]
Rung = Annotated[
    int | None,
    typer.Option(help="Input side of the network, px.", show_default="the bundle's largest"),
]

Prompts = Mapping[int, Mapping[int, Prompt]]  # by object by frame


def read_prompts(
    points: list[str] | None,
    boxes: list[str] | None,
    masks: list[str] | None,
    prompts_file: Path | None,
) -> Prompts:
    """Read the prompts of a run from its flags.

    Raises:
        PromptError: something is malformed.
        ArgumentError: nothing is pointed out.
    """
    prompts = parse_prompts(points or [], boxes or [], masks or [], prompts_file)
    if not prompts:
        raise ArgumentError(
            "nothing is pointed out; click on an object in the first frame, such as "
            "--point 320,240, or give --box, --mask or --prompts"
        )
    return prompts


def expected_frames(source: FrameSource, limit: int | None) -> int | None:
    """Return how many frames a run should have; None if the source does not say and no limit is."""
    return min((end for end in (limit, source.frame_count) if end is not None), default=None)


def check_prompts(prompts: Prompts, source: FrameSource, frames: int | None) -> None:
    """Find what the run would stumble over later.

    Args:
        prompts: of the run.
        source: its video.
        frames: that it stops after, or None.

    Raises:
        PromptError: a prompt lies outside its frame, or its frame is never reached.
        ArgumentError: there are too many objects.
    """
    count = expected_frames(source, frames)
    if count is not None and max(prompts) >= count:
        raise PromptError(
            f"there is a prompt for frame {max(prompts)}, but only {count} are tracked, counted "
            "from 0; remove the prompt, or track more frames"
        )
    for frame, by_object in prompts.items():
        for object_id, prompt in by_object.items():
            try:
                prompt.slots(source.width, source.height)
            except PromptError as error:
                raise PromptError(f"frame {frame}, object {object_id}: {error}") from error
    objects = {object_id for by_object in prompts.values() for object_id in by_object}
    if len(objects) > MAX_OBJECTS:
        raise ArgumentError(
            f"{len(objects)} objects are pointed out, but {MAX_OBJECTS} at a time is the limit; "
            "track the others in a second run"
        )


def track_prompted(
    segmenter: VideoSegmenter, frame_bgr: np.ndarray, prompts: Mapping[int, Prompt]
) -> FrameResult:
    """Give a frame's prompts by object, if any, and track the frame."""
    for object_id, prompt in prompts.items():
        segmenter.give(frame_bgr, object_id, prompt)
    return segmenter.track(frame_bgr)


def warn(message: str) -> None:
    """Print a warning on standard error."""
    typer.echo(f"warning: {message}", err=True)
