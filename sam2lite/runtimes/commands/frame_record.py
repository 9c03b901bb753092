"""What is written of a frame: one JSON object, in `results.json` and in the stream of lines.

    index               of the frames that were tracked, from 0 on
    source_index        of the source's frames, from the first that was taken; dropped ones count
    capture_ms          when it came out of the source, by the machine's monotonic clock
    pts_ms              its time within the file or stream, or null
    compute_ms          what the loop took for it; null where that means nothing
    latency_ms          from capture until the masks were there: its age
    dropped             frames that were dropped just before it
    rung                input width, px
    lost                whether an object was lost to a number that is not finite
    objects{id}         visible, lost, iou, object_score; area in pixels; box [x1, y1, x2, y2],
                        whose last corner is outside, and centroid [x, y], or null where nothing is
                        shown; rle, COCO's: size [height, width] and compressed counts; where a
                        filter hides it hidden, which one: iou, stability or box
    controller          with a budget: window, status, scale after the frame

Pixels are the source's. Numbers that are not finite are null.
"""

import math
from typing import Any, Dict, Optional

import cv2
import numpy as np

from sam2lite.runtimes import rle
from sam2lite.runtimes.controller import ControllerState
from sam2lite.runtimes.results import FrameResult, ObjectResult
from sam2lite.runtimes.video.captured import CapturedFrame


def frame_record(
    captured: CapturedFrame,
    result: FrameResult,
    latency_ms: float,
    dropped: int = 0,
    simulated: bool = False,
) -> Dict[str, Any]:
    """Return a frame's record; see the module.

    Args:
        captured: the frame.
        result: what was found on it.
        latency_ms: its age when that was found.
        dropped: frames that were dropped just before it.
        simulated: whether times of the loop mean nothing.
    """
    record: Dict[str, Any] = {
        "index": result.frame_index,
        "source_index": captured.source_index,
        "capture_ms": _rounded(captured.capture_ms, 3),
        "pts_ms": None if captured.pts_ms is None else _rounded(captured.pts_ms, 3),
        "compute_ms": None if simulated else _rounded(result.stage_ms["total"], 3),
        "latency_ms": None if simulated else _rounded(latency_ms, 3),
        "dropped": dropped,
        "rung": result.rung,
        "lost": result.lost,
        "objects": {
            str(object_id): object_record(found) for object_id, found in result.objects.items()
        },
    }
    if result.controller is not None:
        record["controller"] = _controller_record(result.controller)
    return record


def _controller_record(state: ControllerState) -> Dict[str, Any]:
    return {
        "window": state.window,
        "status": state.status,
        "scale": _rounded(state.scale, 4),
    }


def object_record(found: ObjectResult) -> Dict[str, Any]:
    """Return what a frame's record says of one object."""
    record: Dict[str, Any] = {
        "visible": found.visible,
        "lost": found.lost,
        "iou": _rounded(found.iou, 4),
        "object_score": _rounded(found.object_score, 4),
    }
    if found.hidden is not None:
        record["hidden"] = found.hidden
    record.update(_place(found.mask), rle=rle.encode(found.mask))
    return record


def _place(mask_hw: np.ndarray) -> Dict[str, Any]:
    """Return area, box and centroid of a mask."""
    pixels = mask_hw.view(np.uint8)
    by_column, by_row = (
        cv2.reduce(pixels, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel() for axis in (0, 1)
    )
    area = int(by_column.sum())
    if not area:
        return {"area": 0, "box": None, "centroid": None}
    columns, rows = np.flatnonzero(by_column), np.flatnonzero(by_row)
    return {
        "area": area,
        "box": [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1],
        "centroid": [_mean_place(by_column, area), _mean_place(by_row, area)],
    }


def _mean_place(counts: np.ndarray, total: int) -> float:
    return round(float(np.dot(np.arange(len(counts)), counts.astype(np.int64))) / total, 2)


def _rounded(value: float, digits: int) -> Optional[float]:
    return round(float(value), digits) if math.isfinite(value) else None
