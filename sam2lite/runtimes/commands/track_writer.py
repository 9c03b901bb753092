"""Where tracking results go: `results.json`, a PNG per object and frame, and an overlay video.

Everything is written as it comes, so that memory does not grow with the video. `results.json`:

    schema_version, sam2lite_version
    video, width, height, fps       of the source; px, frames per second
    pixel_aspect                    width of its pixels over their height, two numbers
    live                            whether frames may have been dropped
    clock                           a moment by the clock of capture_ms, and as Unix time in seconds
    bundle_sha256, model            the model's name, precision, checkpoint_sha256 and trained
    simulated                       whether the loop's times mean nothing, as of Core ML on Linux
    budget_ms                       or null
    prompts[]                       frame, object, points, labels, box, mask (an RLE)
    frames[]                        a line each; see `frame_record`
    dropped_frames, ended_by        signal that ended it, or null
    warnings[]
"""

import json
import os
import time
from types import TracebackType
from typing import Any, Dict, Mapping, Optional, Set, Type

import cv2
import numpy as np

from sam2lite import __version__
from sam2lite.errors import OutputError
from sam2lite.files.names import public_name
from sam2lite.files.staging import FolderKind
from sam2lite.runtimes import rle
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.results import FrameResult
from sam2lite.runtimes.video.captured import CapturedFrame, now_ms
from sam2lite.runtimes.video.frame_source import FrameSource
from sam2lite.runtimes.video.overlay import draw_overlay
from sam2lite.runtimes.video.writer import VideoWriter

SCHEMA_VERSION = 2  # 1 called compute_ms latency_ms
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
        self._folder = folder
        self._source = source
        self._masks = masks
        self._frame_count = 0
        self._first_ms: Optional[float] = None
        self._object_ids: Set[int] = set()
        self._footer: Dict[str, Any] = {}
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
            self._video = VideoWriter(
                path, source.fps, source.width, source.height, source.pixel_aspect
            )

    def write(self, captured: CapturedFrame, result: FrameResult, record: str) -> None:
        """Write what was found on a frame.

        Args:
            captured: the frame.
            result: what was found.
            record: of `frame_record`, as JSON.

        Raises:
            OutputError: the disk is full, or the folder is gone.
        """
        try:
            self._json.write((",\n  " if self._frame_count else "\n  ") + record)
            if self._masks:
                for object_id, found in result.objects.items():
                    self._write_mask(object_id, result.frame_index, found.mask)
        except OSError as error:
            raise self._output_error(error)
        if self._video is not None:
            overlay = draw_overlay(captured.image_bgr, result.masks)
            self._video.write(overlay, self._time_ms(captured))
        self._frame_count += 1

    def finish(self, **footer: Any) -> None:
        """Take what stands after the frames, by name."""
        self._footer = footer

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
                    footer = json.dumps(self._footer, indent=1)[len("{\n") :]
                    self._json.write("\n ],\n" + footer + "\n")
        except OSError as write_error:
            if kind is None:
                raise self._output_error(write_error)
        finally:
            if self._video is not None:
                self._video.__exit__(kind, error, trace)

    def _time_ms(self, captured: CapturedFrame) -> Optional[float]:
        """Return when the overlay shows a frame: as it was captured, or as its file says."""
        time_ms = captured.capture_ms if self._source.is_live else captured.pts_ms
        if time_ms is None:
            return None
        if self._first_ms is None:
            self._first_ms = time_ms
        return time_ms - self._first_ms

    def _write_mask(self, object_id: int, frame_index: int, mask: np.ndarray) -> None:
        folder = os.path.join(self._folder, MASKS_FOLDER, str(object_id))
        if object_id not in self._object_ids:
            self._object_ids.add(object_id)
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
        "pixel_aspect": list(source.pixel_aspect),
        "live": source.is_live,
        "clock": {"monotonic_ms": round(now_ms(), 3), "unix_s": round(time.time(), 6)},
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
