"""Where tracking results go: `results.json`, a PNG per object and frame, and an overlay video.

Everything is written as it comes, so that memory does not grow with the video. `results.json`:

    schema_version, sam2lite_version
    video, width, height, fps       of the source; px, frames per second
    bundle_sha256, model            the model's name, precision, checkpoint_sha256 and trained
    simulated                       whether latency_ms means nothing: Core ML where there is none
    budget_ms                       or null
    prompts[]                       frame, object, points, labels, box, mask (an RLE)
    frames[]                        a line each: index, rung, latency_ms, lost,
        objects{id}                     visible, lost, iou, object_score, rle,
        controller                      with a budget: window, status, scale after the frame
    dropped_frames, warnings[]

`rle` is COCO's: size [height, width] and compressed counts. Numbers that are not finite are null.
"""

import json
import math
import os
from types import TracebackType
from typing import Any, Dict, List, Mapping, Optional, Type

import cv2
import numpy as np

from sam2lite import __version__
from sam2lite.errors import OutputError
from sam2lite.files.names import public_name
from sam2lite.files.staging import FolderKind
from sam2lite.runtimes import rle
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.results import FrameResult, ObjectResult
from sam2lite.runtimes.video.frame_source import FrameSource
from sam2lite.runtimes.video.overlay import draw_overlay
from sam2lite.runtimes.video.writer import VideoWriter

SCHEMA_VERSION = 1
RESULTS_FILE = "results.json"
OVERLAY_FILE = "overlay.mp4"
MASKS_FOLDER = "masks"
TRACK = FolderKind(
    "the results of track",
    RESULTS_FILE,
    '"sam2lite_version"',
    (RESULTS_FILE, OVERLAY_FILE, MASKS_FOLDER + "/*/*.png"),
)

Prompts = Mapping[int, Mapping[int, Prompt]]  # by object by frame


class TrackWriter:
    """A context manager that writes frame results to a folder.

    The files are complete when the block ends without an error; otherwise the overlay is removed
    and `results.json` is cut short, so write to a folder that is thrown away then.

    Attributes:
        frame_count: frames written so far.
        latency_ms: sum over these frames.
        frames_by_object: in how many frames each object was followed.
        visible_by_object: in how many of them it was visible.
        dropped_frames: how many the source had dropped when the last one was written.
        warnings: what was odd about the run, once the block has ended.
    """

    def __init__(
        self,
        folder: str,
        source: FrameSource,
        bundle: Bundle,
        prompts: Prompts,
        budget_ms: Optional[float] = None,
        overlay: bool = True,
        masks: bool = True,
    ) -> None:
        """Start the files.

        Args:
            folder: an empty folder that exists.
            source: where the frames come from.
            bundle: what tracks them.
            prompts: what the tracker will be told.
            budget_ms: what a frame may take, if that is controlled.
            overlay: whether to write the video.
            masks: whether to write the PNG files, 0 or 255 in `masks/<object>/<frame>.png`.

        Raises:
            OutputError: the folder cannot be written.
        """
        self.frame_count = 0
        self.latency_ms = 0.0
        self.frames_by_object: Dict[int, int] = {}
        self.visible_by_object: Dict[int, int] = {}
        self.dropped_frames = 0
        self.warnings: List[str] = []
        self._folder = folder
        self._source = source
        self._prompts = prompts
        self._masks = masks
        header = json.dumps(_header(source, bundle, prompts, budget_ms), indent=1)
        try:
            path = os.path.join(folder, RESULTS_FILE)
            self._json = open(path, "w", encoding="utf-8")  # noqa: SIM115  # until __exit__
            self._json.write(header[: -len("\n}")] + ',\n "frames": [')
        except OSError as error:
            raise self._output_error(error)
        self._video: Optional[VideoWriter] = None
        if overlay:
            path = os.path.join(folder, OVERLAY_FILE)
            self._video = VideoWriter(path, source.fps, source.width, source.height)

    def write(self, frame_bgr: np.ndarray, result: FrameResult) -> None:
        """Write what was found on a frame.

        Raises:
            OutputError: the disk is full, or the folder is gone.
        """
        try:
            self._json.write(",\n  " if self.frame_count else "\n  ")
            json.dump(_frame_record(result), self._json, separators=(",", ":"), allow_nan=False)
            if self._masks:
                for object_id, found in result.objects.items():
                    self._write_mask(object_id, result.frame_index, found.mask)
        except OSError as error:
            raise self._output_error(error)
        if self._video is not None:
            self._video.write(draw_overlay(frame_bgr, result.masks))
        self.frame_count += 1
        self.dropped_frames = self._source.dropped_frames
        self.latency_ms += result.stage_ms["total"]
        for object_id, found in result.objects.items():
            _add(self.frames_by_object, object_id, 1)
            _add(self.visible_by_object, object_id, int(found.visible))

    def __enter__(self) -> "TrackWriter":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        try:
            with self._json:
                if kind is None:
                    self._finish_json()
        except OSError as write_error:
            if kind is None:
                raise self._output_error(write_error)
        finally:
            if self._video is not None:
                self._video.__exit__(kind, error, trace)

    def _finish_json(self) -> None:
        self.warnings = run_warnings(self._source, self._prompts, self.frame_count)
        footer = {"dropped_frames": self.dropped_frames, "warnings": self.warnings}
        self._json.write("\n ],\n" + json.dumps(footer, indent=1)[len("{\n") :] + "\n")

    def _write_mask(self, object_id: int, frame_index: int, mask: np.ndarray) -> None:
        folder = os.path.join(self._folder, MASKS_FOLDER, str(object_id))
        if object_id not in self.frames_by_object:
            os.makedirs(folder)
        # cv2.imwrite would not say that the disk is full.
        _, encoded = cv2.imencode(".png", np.where(mask, 255, 0).astype(np.uint8))
        with open(os.path.join(folder, "{:05d}.png".format(frame_index)), "wb") as stream:
            stream.write(encoded.tobytes())

    def _output_error(self, error: OSError) -> OutputError:
        return OutputError(
            "cannot write results to '{}': {}; choose a folder that you may write to, and that has "
            "room".format(self._folder, error.strerror or error)
        )


def run_warnings(source: FrameSource, prompts: Prompts, frame_count: int) -> List[str]:
    """Return what was odd about a run of `frame_count` frames that has ended."""
    warnings = []
    late = [frame for frame in prompts if frame >= frame_count]
    if late:
        warnings.append(
            "the video ended after {} frames, so that these frames with prompts never came: "
            "{}".format(frame_count, ", ".join(str(frame) for frame in late))
        )
    if source.warning:
        warnings.append(source.warning)
    return warnings


def _add(counts: Dict[int, int], key: int, amount: int) -> None:
    counts[key] = counts.get(key, 0) + amount


def _header(
    source: FrameSource, bundle: Bundle, prompts: Prompts, budget_ms: Optional[float]
) -> Dict[str, Any]:
    model = bundle.manifest.model
    return {
        "schema_version": SCHEMA_VERSION,
        "sam2lite_version": __version__,
        "video": public_name(source.name),
        "width": source.width,
        "height": source.height,
        "fps": source.fps,
        "bundle_sha256": bundle.sha256,
        "model": {
            "name": model.name,
            "precision": bundle.manifest.precision,
            "checkpoint_sha256": model.checkpoint_sha256,
            "trained": model.trained,
        },
        "simulated": bundle.simulate is not None,
        "budget_ms": budget_ms,
        "prompts": [
            _prompt_record(frame, object_id, prompt)
            for frame, by_object in sorted(prompts.items())
            for object_id, prompt in sorted(by_object.items())
        ],
    }


def _prompt_record(frame: int, object_id: int, prompt: Prompt) -> Dict[str, Any]:
    record: Dict[str, Any] = {"frame": frame, "object": object_id}
    if len(prompt.points_xy):
        record.update(points=prompt.points_xy.tolist(), labels=prompt.labels.tolist())
    if prompt.box_xyxy is not None:
        record["box"] = prompt.box_xyxy.tolist()
    if prompt.mask_hw is not None:
        record["mask"] = rle.encode(prompt.mask_hw)
    return record


def _frame_record(result: FrameResult) -> Dict[str, Any]:
    record: Dict[str, Any] = {
        "index": result.frame_index,
        "rung": result.rung,
        "latency_ms": _rounded(result.stage_ms["total"], 3),
        "lost": result.lost,
        "objects": {
            str(object_id): _object_record(found) for object_id, found in result.objects.items()
        },
    }
    state = result.controller
    if state is not None:
        record["controller"] = {
            "window": state.window,
            "status": state.status,
            "scale": _rounded(state.scale, 4),
        }
    return record


def _object_record(found: ObjectResult) -> Dict[str, Any]:
    return {
        "visible": found.visible,
        "lost": found.lost,
        "iou": _rounded(found.iou, 4),
        "object_score": _rounded(found.object_score, 4),
        "rle": rle.encode(found.mask),
    }


def _rounded(value: float, digits: int) -> Optional[float]:
    return round(float(value), digits) if math.isfinite(value) else None
