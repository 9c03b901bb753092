"""First runs of graphs take longer than others: they are made before a live stream begins."""

import numpy as np

from sam2lite.errors import ArgumentError
from sam2lite.runtimes.segmenter import VideoSegmenter


def warm_up(segmenter: VideoSegmenter, frame_bgr: np.ndarray) -> None:
    """Run what a prompted frame and a tracked one need, and forget what came of it.

    Args:
        segmenter: that follows nothing yet.
        frame_bgr: uint8 [height, width, 3], such as those to come.

    Raises:
        ArgumentError: something is followed already, or the frame is no image.
        SessionError: the backend cannot load or run a graph.
    """
    if segmenter.object_ids:
        raise ArgumentError("objects are followed already; warm up before the first prompt")
    segmenter.prepare()
    height, width = frame_bgr.shape[:2]
    segmenter.prompt(frame_bgr, box=(0, 0, width, height), frame_index=0)
    for index in range(2):
        segmenter.track(frame_bgr, frame_index=index)
    segmenter.reset()
