"""What runs over a prompted video share: what is pointed out, checked, and given frame by frame."""

from pathlib import Path
from typing import Dict, List, Mapping, Optional

import numpy as np

from sam2lite.contracts.loop import MAX_OBJECTS
from sam2lite.errors import ArgumentError, PromptError
from sam2lite.runtimes.commands.prompt_flags import parse_prompts
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.results import FrameResult
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.runtimes.video.frame_source import FrameSource

Prompts = Mapping[int, Mapping[int, Prompt]]  # by object by frame of the source


def read_prompts(
    points: Optional[List[str]],
    boxes: Optional[List[str]],
    masks: Optional[List[str]],
    prompts_file: Optional[Path],
) -> Dict[int, Dict[int, Prompt]]:
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


def expected_frames(source: FrameSource, limit: Optional[int]) -> Optional[int]:
    """Return how many frames a run should have; None if the source does not say and no limit is."""
    return min((end for end in (limit, source.frame_count) if end is not None), default=None)


def check_prompts(prompts: Prompts, source: FrameSource, frames: Optional[int]) -> None:
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
            "there is a prompt for frame {}, but only {} are tracked, counted from 0; remove the "
            "prompt, or track more frames".format(max(prompts), count)
        )
    for frame, by_object in prompts.items():
        for object_id, prompt in by_object.items():
            try:
                prompt.slots(source.width, source.height)
            except PromptError as error:
                raise PromptError(
                    "frame {}, object {}: {}".format(frame, object_id, error)
                ) from error
    objects = {object_id for by_object in prompts.values() for object_id in by_object}
    if len(objects) > MAX_OBJECTS:
        raise ArgumentError(
            "{} objects are pointed out, but {} at a time is the limit; track the others in a "
            "second run".format(len(objects), MAX_OBJECTS)
        )


def run_warnings(source: FrameSource, prompts: Prompts, last_index: int) -> List[str]:
    """Return what was odd about a run that has ended.

    Args:
        source: of its frames.
        prompts: of the run.
        last_index: of its last frame in the source.
    """
    warnings = []
    late = [frame for frame in prompts if frame > last_index]
    if late:
        warnings.append(
            "the run ended with frame {} of the video, so that these frames with prompts never "
            "came: {}".format(last_index, ", ".join(str(frame) for frame in late))
        )
    if source.warning:
        warnings.append(source.warning)
    return warnings


def track_prompted(
    segmenter: VideoSegmenter, frame_bgr: np.ndarray, index: int, prompts: Mapping[int, Prompt]
) -> FrameResult:
    """Give a frame's prompts by object, if any, and track the frame.

    Args:
        segmenter: that follows the video.
        frame_bgr: uint8 [height, width, 3].
        index: of the frame; its pixels may be those of the frame before.
        prompts: on this frame.
    """
    for object_id, prompt in prompts.items():
        segmenter.give(frame_bgr, object_id, prompt, index)
    return segmenter.track(frame_bgr, index)
