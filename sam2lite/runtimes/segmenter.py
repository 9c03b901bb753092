"""The frame loop: prompts and frames in, masks out. Its rules are in docs/architecture.md."""

from types import TracebackType
from typing import Any, Dict, List, Optional, Type, Union

import numpy as np

from sam2lite.contracts.loop import MAX_OBJECTS
from sam2lite.errors import ArgumentError
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.controller import ControllerState, FrameController
from sam2lite.runtimes.geometry import Scratch, check_frame, source_mask
from sam2lite.runtimes.object_track import ObjectTrack
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.results import FrameResult, ObjectResult
from sam2lite.runtimes.rules.current_frame import CurrentFrame, Decision
from sam2lite.runtimes.rules.interface import rules_for
from sam2lite.runtimes.rungs import RungGraphs, RungLoader
from sam2lite.runtimes.stage_clock import POSTPROCESS, PREPROCESS, StageClock


class VideoSegmenter:
    """Follows objects through a video, one frame at a time, in constant memory.

    Frames are uint8 [height, width, 3] in BGR, as OpenCV reads them. Each is encoded once, however
    many objects there are.

        with VideoSegmenter("bundle", budget_ms=33) as segmenter:
            segmenter.prompt(first_frame, points=[(300, 200)])
            for frame in frames:
                masks = segmenter.track(frame).masks
    """

    def __init__(
        self,
        bundle: Union[Bundle, str],
        budget_ms: Optional[float] = None,
        preset: str = "default",
        rung: Optional[int] = None,
        threads: Optional[int] = None,
        provider: Optional[str] = None,
        **settings: Any,
    ) -> None:
        """Open the graphs of one rung.

        Args:
            bundle: an open bundle or its path.
            budget_ms: what a frame may take, which the controller then holds by choosing the rung.
            preset: of the controller: `default` or `paper`.
            rung: input side to start with, px; the largest if not given.
            threads: of the process-wide pool; the target's default if not given.
            provider: ONNX Runtime's execution provider; the CPU's if not given.
            settings: of what is remembered; which there are depends on the network's family. For
                SAM2-Lite `policy`, `tokens` and `window`: see `TokenBankRules`.

        Raises:
            BundleError: the bundle is damaged or missing.
            UnknownNameError: the rung, the preset or a setting does not exist.
            ArgumentError: the budget is not positive, or a setting is out of its range.
            SessionError: the backend cannot run the bundle as asked.
        """
        self.bundle = bundle if isinstance(bundle, Bundle) else open_bundle(bundle)
        manifest = self.bundle.manifest
        start = rung if rung is not None else manifest.rungs[-1]
        self.bundle.check_rung(start)
        family = self.bundle.family
        self._rules = rules_for(family, manifest, settings)
        self._controller = (
            FrameController(
                budget_ms,
                manifest.rungs if family.keeps_memory_across_sizes else [start],
                preset=preset,
                window_saves_time=self._rules.window_saves_time,
                start_rung=start,
            )
            if budget_ms is not None
            else None
        )
        self._loader = RungLoader(
            family,
            lambda key: self.bundle.open_session(key, threads=threads, provider=provider),
        )
        self._graphs = self._loader.get(start)
        self.reset()

    def __enter__(self) -> "VideoSegmenter":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the sessions. The segmenter cannot be used afterwards."""
        self._loader.close()

    @property
    def object_ids(self) -> List[int]:
        """Ids of the objects that are followed."""
        return sorted(self._objects)

    @property
    def rung(self) -> int:
        """Input side of the last frame, or of the first one to come, px."""
        return self._graphs.rung

    def reset(self) -> None:
        """Forget all objects and start counting frames at 0; sessions and controller stay."""
        self._objects: Dict[int, ObjectTrack] = {}
        self._frame: Optional[CurrentFrame] = None
        self._rules.reset()
        self._scratch = Scratch()
        self._next_index = 0

    def set_rung(self, rung: int) -> None:
        """Use another rung from the next frame on, waiting for its graphs.

        Raises:
            UnknownNameError: the bundle does not hold it.
            ArgumentError: a controller chooses the rung, or memory holds for one rung alone.
        """
        self.bundle.check_rung(rung)
        if self._controller is not None:
            raise ArgumentError(
                "the rung follows the frame budget; make the segmenter without budget_ms to set it"
            )
        size = self._memory_size()
        if size not in (None, rung) and self._next_index > 0:
            raise ArgumentError(
                "memory that {} has written at {} px cannot be read at {} px; call reset() "
                "first".format(self.bundle.family.title, size, rung)
            )
        self._graphs = self._loader.get(rung)

    def prompt(
        self,
        frame: np.ndarray,
        object_id: int = 1,
        points: Any = None,
        labels: Any = None,
        box: Any = None,
        mask: Any = None,
    ) -> ObjectResult:
        """Point out an object on a frame: a new one, or one that is followed already.

        A frame with the pixels of the current one is the current one: several objects may be
        prompted on it, before or after `track` has returned it. Prompts are remembered as anchors.

        Args:
            frame: uint8 [height, width, 3], BGR.
            object_id: any integer.
            points: (x, y) pairs in source pixels.
            labels: one per point, 1 on the object and 0 beside it; all 1 if not given.
            box: x1, y1, x2, y2 in source pixels.
            mask: bool or integer [height, width].

        Raises:
            PromptError: nothing is given or it does not fit the frame.
            ArgumentError: there are too many objects, or the frame is not an image of the video's
                size.
        """
        return self.give(frame, object_id, Prompt(points, labels, box, mask))

    def give(self, frame: np.ndarray, object_id: int, prompt: Prompt) -> ObjectResult:
        """Do what `prompt` does, with a prompt that is made already."""
        # Everything is checked before anything changes.
        self._check_frame(frame)
        self._rules.prompt_inputs(prompt, frame.shape[1], frame.shape[0])
        if object_id not in self._objects and len(self._objects) >= MAX_OBJECTS:
            raise ArgumentError(
                "object {} would be one too many: {} objects at a time is the limit; remove "
                "one first".format(object_id, MAX_OBJECTS)
            )
        current = self._current(frame, joins_tracked=True)
        track = self._objects.get(object_id)
        if track is None:
            track = ObjectTrack(object_id, self._rules.new_memory())
        with current.clock.whole():
            decision = self._process(track, current, prompt)
            self._objects[object_id] = track
            return self._result(current, decision)

    def track(self, frame: np.ndarray) -> FrameResult:
        """Follow every object into the next frame.

        If objects were prompted on this very frame just before, their masks are returned as they
        are, and only the others are tracked.

        Raises:
            ArgumentError: the frame is not an image of the video's size.
        """
        self._check_frame(frame)
        current = self._current(frame, joins_tracked=False)
        plain = not current.decisions
        with current.clock.whole():
            for object_id in self.object_ids:
                if object_id not in current.decisions:
                    self._process(self._objects[object_id], current)
            objects = {
                object_id: self._result(current, current.decisions[object_id])
                for object_id in self.object_ids
            }
        current.tracked = True
        state = self._observe(current, plain)
        return FrameResult(
            current.index, objects, current.graphs.rung, current.clock.result(), state
        )

    def correct(
        self,
        object_id: int,
        points: Any = None,
        labels: Any = None,
        box: Any = None,
        mask: Any = None,
    ) -> ObjectResult:
        """Correct an object on the last frame; its memory of that frame is replaced by an anchor.

        Raises:
            PromptError: nothing is given or it does not fit the frame.
            ArgumentError: there is no such object, or no frame yet.
        """
        if object_id not in self._objects:
            raise ArgumentError(
                "there is no object {} to correct; known: {}".format(object_id, self.object_ids)
            )
        if self._frame is None:
            raise ArgumentError("there is no frame to correct yet; call track or prompt first")
        current = self._frame
        prompt = Prompt(points, labels, box, mask)
        return self._result(current, self._process(self._objects[object_id], current, prompt))

    def remove(self, object_id: int) -> None:
        """Stop following an object.

        Raises:
            ArgumentError: there is no such object.
        """
        if object_id not in self._objects:
            raise ArgumentError(
                "there is no object {} to remove; known: {}".format(object_id, self.object_ids)
            )
        del self._objects[object_id]
        if self._frame is not None:
            self._frame.decisions.pop(object_id, None)

    def save_state(self, path: str) -> None:
        """Write the memory of all objects to an `.npz` file, without pickle.

        Raises:
            OutputError: the file cannot be written.
        """
        from sam2lite.runtimes import state

        state.save(
            path,
            self.bundle.sha256,
            self._next_index,
            self._rules,
            self._objects,
            self._loader.numpy,
            self._memory_size(),
        )

    def load_state(self, path: str) -> None:
        """Go on from a state that the same bundle saved; what was followed before is forgotten.

        Raises:
            BundleError: the file was saved with another bundle or for another rung, or is no state
                file.
        """
        from sam2lite.runtimes import state

        loaded = state.load(path, self.bundle.sha256, self._rules, self._memory_size())
        self.reset()
        self._next_index = loaded.next_index
        self._rules.restore(loaded.stream)
        self._objects.update(loaded.tracks)

    def _memory_size(self) -> Optional[int]:
        """Return the one input side that memory holds for, px; None where it holds for all."""
        return None if self.bundle.family.keeps_memory_across_sizes else self.rung

    def _check_frame(self, frame: np.ndarray) -> None:
        check_frame(frame)
        old = self._frame
        if old is not None and (old.height, old.width) != frame.shape[:2]:
            raise ArgumentError(
                "the frame is {}x{} px, but the video so far is {}x{}; call reset() to start "
                "another video".format(frame.shape[1], frame.shape[0], old.width, old.height)
            )

    def _current(self, frame: np.ndarray, joins_tracked: bool) -> CurrentFrame:
        """Return the frame to work on: the current one if the pixels are its own, or a new one."""
        old = self._frame
        if old is not None and (joins_tracked or not old.tracked) and old.shows(frame):
            return old
        self._graphs = self._graphs_for_next()
        clock = StageClock(self.bundle.manifest.stages)
        with clock.whole():
            frame_now = CurrentFrame(
                self._next_index, frame, self._graphs, clock, self._loader.numpy, self._scratch
            )
            with clock.stage(PREPROCESS):
                self._rules.see(frame_now)
        self._frame = frame_now
        self._next_index += 1
        for track in self._objects.values():
            track.memory.tick()
        return frame_now

    def _graphs_for_next(self) -> RungGraphs:
        if self._controller is None:
            return self._graphs
        return self._loader.get_or_request(self._controller.rung, meanwhile=self._graphs.rung)

    def _process(
        self, track: ObjectTrack, frame: CurrentFrame, prompt: Optional[Prompt] = None
    ) -> Decision:
        window = None if self._controller is None else self._controller.window
        return track.process(self._rules, frame, window, prompt)

    def _result(self, frame: CurrentFrame, decision: Decision) -> ObjectResult:
        threshold = self.bundle.manifest.postprocess.mask_threshold
        with frame.clock.stage(POSTPROCESS):
            if decision.visible:
                mask = source_mask(
                    decision.logits, frame.width, frame.height, self._scratch, threshold
                )
            else:
                mask = np.zeros((frame.height, frame.width), bool)
        return ObjectResult(
            mask,
            decision.logits,
            decision.iou,
            decision.object_score,
            decision.visible,
            decision.lost,
            decision.prompted,
        )

    def _observe(self, frame: CurrentFrame, plain: bool) -> Optional[ControllerState]:
        """Tell the controller, unless the frame's time says nothing about the rung."""
        if self._controller is None:
            return None
        first_use = frame.graphs.frames <= 1
        if plain and frame.decisions and not first_use and not self._loader.loading:
            return self._controller.observe(frame.clock.total_ms, frame.graphs.rung)
        return self._controller.state
