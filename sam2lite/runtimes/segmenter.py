"""The frame loop: prompts and frames in, masks out. Its rules are in docs/architecture.md."""

import threading
from types import TracebackType
from typing import Any, Dict, List, Optional, Sequence, Type, Union

import numpy as np

from sam2lite.contracts.arguments import check_options, whole_number
from sam2lite.contracts.loop import MAX_OBJECTS
from sam2lite.errors import ArgumentError
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.geometry import HALVING, checked_resize
from sam2lite.runtimes.masks.cleaning import clean_results
from sam2lite.runtimes.masks.options import Cleaning, checked_cleaning
from sam2lite.runtimes.measuring.stage_clock import POSTPROCESS
from sam2lite.runtimes.object_track import ObjectTrack
from sam2lite.runtimes.one_at_a_time import one_at_a_time
from sam2lite.runtimes.prompts import Prompt, checked_id
from sam2lite.runtimes.results import FrameResult, ObjectResult, object_results
from sam2lite.runtimes.rules.current_frame import CurrentFrame
from sam2lite.runtimes.rules.interface import rules_for
from sam2lite.runtimes.rung_choice import RungChoice
from sam2lite.runtimes.stream.frames import StreamFrames


class VideoSegmenter:
    """Follows objects through a video, one frame at a time, in constant memory.

    Frames are uint8 [height, width, 3] in BGR, as OpenCV reads them. Each is encoded once for all
    objects. Threads may share a segmenter: one call runs at a time.

        with VideoSegmenter("bundle", budget_ms=33) as segmenter:
            segmenter.prompt(first_frame, points=[(300, 200)])
            for frame in frames:
                masks = segmenter.track(frame).masks

    Without `frame_index`, a frame that looks like the current one is taken for it: where a video
    repeats frames, both calls are given the number.
    """

    def __init__(
        self,
        bundle: Union[Bundle, str],
        budget_ms: Optional[float] = None,
        preset: str = "default",
        rung: Optional[int] = None,
        threads: Optional[int] = None,
        provider: Optional[str] = None,
        resize: str = HALVING,
        cleaning: Optional[Cleaning] = None,
        **settings: Any,
    ) -> None:
        """Open the graphs of one rung; with a frame budget all of them, see `prepare`.

        Args:
            bundle: an open bundle or its path.
            budget_ms: what a frame may take, which the controller then holds by choosing the rung.
            preset: of the controller: `default` or `paper`.
            rung: input width to start with, px; the largest if not given.
            threads: of the process-wide pool; the target's default if not given.
            provider: ONNX Runtime's execution provider; the CPU's if not given.
            resize: of frames, see `network_input`: `halving`, `bicubic` or `antialias`.
            cleaning: what is done to masks before they are shown; nothing if not given.
            settings: the family's own: see `TokenBankRules` and `SlotBankRules`.

        Raises:
            BundleError: the bundle is damaged or missing.
            UnknownNameError: the rung, the preset, the resize or a setting does not exist.
            ArgumentError: an argument is not what it must be, the budget is not positive, or a
                preset is given without one.
            SessionError: the backend cannot run the bundle as asked.
        """
        check_options(budget_ms, preset, rung, threads)
        self.lock = threading.RLock()
        self.closed = False
        self._resize = checked_resize(resize)
        self._cleaning = checked_cleaning(cleaning)
        self.bundle = bundle if isinstance(bundle, Bundle) else open_bundle(bundle)
        start = self.bundle.manifest.rungs[-1] if rung is None else rung
        self.bundle.check_rung(start)
        self._rules = rules_for(self.bundle.family, self.bundle.manifest, settings)
        self._rungs = RungChoice(
            self.bundle, self._rules, start, budget_ms, preset, threads, provider
        )
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
        with self.lock:
            if not self.closed:
                self.closed = True
                self._rungs.loader.close()

    @property
    def object_ids(self) -> List[int]:
        """Ids of the objects that are followed."""
        with self.lock:
            return sorted(self._objects)

    @property
    def rung(self) -> int:
        """Input width of the last frame, or of the first one to come, px."""
        return self._rungs.graphs.rung

    @one_at_a_time
    def reset(self) -> None:
        """Forget all objects and start counting frames at 0; sessions and controller stay."""
        self._objects: Dict[int, ObjectTrack] = {}
        self._frames = StreamFrames(self.bundle, self._rules, self._rungs, self._resize)

    @one_at_a_time
    def prepare(self) -> None:
        """Open the graphs that wait for the first frame that needs them; that takes a frame's time.

        For streams in real time, before the first frame; with a frame budget it has been done.

        Raises:
            SessionError: the backend cannot load a graph.
        """
        self._rungs.loader.prepare()

    @one_at_a_time
    def rewind(self, frame_index: int = 0) -> None:
        """Go back, so that the next frame is an earlier one: objects and their prompts stay.

        Prompts may thus be given on any frames of a video before it is tracked: those to come count
        as well as those that were. A prompted frame that comes again shows what its prompt gave.
        What was tracked from that frame on is forgotten.

            segmenter.prompt(frames[0], points=[(300, 200)], frame_index=0)
            segmenter.prompt(frames[12], points=[(340, 190)], frame_index=12)
            segmenter.rewind()
            masks = [segmenter.track(frame).masks for frame in frames]

        Args:
            frame_index: of the next frame, at most one after the last.

        Raises:
            ArgumentError: memory of the network's family cannot go back, or the index is no
                earlier one.
        """
        if not self._rules.rewinds:
            raise ArgumentError(
                "memory of {} cannot go back to an earlier frame; call reset() and prompt "
                "again".format(self.bundle.family.title)
            )
        frame_index = whole_number("frame_index", frame_index, 0, self._frames.cursor.next_index)
        self._frames.begin(frame_index)
        for track in self._objects.values():
            track.memory.rewind(frame_index)
            track.last = None

    @one_at_a_time
    def set_rung(self, rung: int) -> None:
        """Use another rung from the next frame on, waiting for its graphs.

        Raises:
            UnknownNameError: the bundle does not hold it.
            ArgumentError: a controller chooses the rung, or memory holds for one rung alone.
        """
        rung = whole_number("rung", rung, 1)
        self.bundle.check_rung(rung)
        self._rungs.check_free()
        size = self._memory_size()
        if size not in (None, rung) and self._frames.cursor.next_index > 0:
            raise ArgumentError(
                "memory that {} has written at {} px cannot be read at {} px; call reset() "
                "first".format(self.bundle.family.title, size, rung)
            )
        self._rungs.set(rung)

    def prompt(
        self,
        frame: np.ndarray,
        object_id: int = 1,
        points: Any = None,
        labels: Any = None,
        box: Any = None,
        mask: Any = None,
        frame_index: Optional[int] = None,
    ) -> ObjectResult:
        """Point out an object on a frame: a new one, or one that is followed already.

        Several objects may be prompted on one frame, before or after `track` has returned it.
        Prompts are remembered as anchors.

        Args:
            frame: uint8 [height, width, 3], BGR.
            object_id: any integer of 64 bits.
            points: (x, y) pairs in source pixels.
            labels: one per point, 1 on the object and 0 beside it; all 1 if not given.
            box: x1, y1, x2, y2 in source pixels.
            mask: bool or integer [height, width].
            frame_index: which frame of the video it is; see `track`. It may be one of the last 150:
                a click on a frame that was shown while the video went on. It is encoded again and
                remembered where it belongs; the next one tracked makes use of it, no more changes.

        Raises:
            PromptError: it is empty or does not fit the frame or a new object, or the id is wrong.
            ArgumentError: too many objects, no image of the video's size, or too old an index.
        """
        return self.give(frame, object_id, Prompt(points, labels, box, mask), frame_index)

    @one_at_a_time
    def give(
        self,
        frame: np.ndarray,
        object_id: int,
        prompt: Prompt,
        frame_index: Optional[int] = None,
    ) -> ObjectResult:
        """Do what `prompt` does, with a prompt that is made already."""
        # Everything is checked before anything changes.
        object_id = checked_id(object_id)
        frame_index = self._frames.cursor.checked(frame, frame_index, may_be_past=True)
        self._rules.prompt_inputs(prompt, frame.shape[1], frame.shape[0])
        if object_id not in self._objects and len(self._objects) >= MAX_OBJECTS:
            raise ArgumentError(
                "object {} would be one too many: {} objects at a time is the limit; remove "
                "one first".format(object_id, MAX_OBJECTS)
            )
        track = self._objects.get(object_id)
        if track is None:
            prompt.check_names_object(object_id)
            track = ObjectTrack(object_id, self._rules.new_memory())
        if frame_index is not None and self._frames.cursor.is_past(frame_index):
            result = self._give_late(track, frame, frame_index, prompt)
            self._objects[object_id] = track
            return result
        current = self._current(frame, frame_index, joins_tracked=True)
        with current.clock.whole():
            self._process(track, current, prompt)
            self._objects[object_id] = track
            return self._results(current, [object_id])[object_id]

    @one_at_a_time
    def track(self, frame: np.ndarray, frame_index: Optional[int] = None) -> FrameResult:
        """Follow every object into the next frame.

        If objects were prompted on this very frame just before, their masks are returned as they
        are, and only the others are tracked.

        Args:
            frame: uint8 [height, width, 3], BGR.
            frame_index: which frame of the video it is, counted from 0: the index of the current
                frame means that one, a larger one a new frame. If not given, a frame that was
                prompted and not yet tracked is told by its pixels, and any other is a new one.

        Raises:
            ArgumentError: the frame is not an image of the video's size, or its index goes back or
                is that of a current frame with other pixels.
        """
        frame_index = self._frames.cursor.checked(frame, frame_index)
        current = self._current(frame, frame_index, joins_tracked=False)
        plain = not current.decisions
        with current.clock.whole():
            for object_id in self.object_ids:
                if object_id not in current.decisions:
                    self._process(self._objects[object_id], current)
            objects = self._results(current, self.object_ids)
        current.tracked = True
        self._frames.recent.add(current)
        for track in self._objects.values():
            track.memory.settle(current.index)
        state = self._rungs.observe(current, plain)
        return FrameResult(
            current.index, objects, current.graphs.rung, current.clock.result(), state
        )

    @one_at_a_time
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
        object_id = self._known(object_id, "correct")
        current = self._frames.cursor.frame
        if current is None:
            raise ArgumentError("there is no frame to correct yet; call track or prompt first")
        self._process(self._objects[object_id], current, Prompt(points, labels, box, mask))
        return self._results(current, [object_id])[object_id]

    @one_at_a_time
    def remove(self, object_id: int) -> None:
        """Stop following an object.

        Raises:
            ArgumentError: there is no such object.
        """
        object_id = self._known(object_id, "remove")
        del self._objects[object_id]
        self._frames.recent.forget(object_id)
        if self._frames.cursor.frame is not None:
            self._frames.cursor.frame.decisions.pop(object_id, None)

    @one_at_a_time
    def save_state(self, path: str) -> None:
        """Write the memory of all objects to an `.npz` file, without pickle.

        Raises:
            OutputError: the file cannot be written.
        """
        from sam2lite.runtimes import state

        state.save(
            path,
            self.bundle.sha256,
            self._frames.cursor.next_index,
            self._rules,
            self._objects,
            self._rungs.loader.numpy,
            self._memory_size(),
        )

    @one_at_a_time
    def load_state(self, path: str, continues: bool = True) -> None:
        """Go on from a state that the same bundle saved; what was followed before is forgotten.

        Args:
            path: of the file.
            continues: whether the next frame follows those of the state. If not, it is the first of
                another video, of any size, in which the same objects are followed.

        Raises:
            BundleError: the file was saved with another bundle or for another rung, or is no state
                file.
        """
        from sam2lite.runtimes import state

        loaded = state.load(str(path), self.bundle, self._rules, self._memory_size())
        self.reset()
        self._objects.update(loaded.tracks)
        if continues:
            self._frames.begin(loaded.next_index)
            self._rules.restore(loaded.stream)
            return
        for track in self._objects.values():
            track.memory.begin_clip(loaded.next_index)
            track.last = None

    def _known(self, object_id: int, action: str) -> int:
        object_id = checked_id(object_id)
        if object_id not in self._objects:
            raise ArgumentError(
                "there is no object {} to {}; known: {}".format(object_id, action, self.object_ids)
            )
        return object_id

    def _memory_size(self) -> Optional[int]:
        """Return the one input side that memory holds for, px; None where it holds for all."""
        return None if self.bundle.family.keeps_memory_across_sizes else self.rung

    def _current(
        self, frame: np.ndarray, index: Optional[int], joins_tracked: bool
    ) -> CurrentFrame:
        current, is_new = self._frames.current(frame, index, joins_tracked)
        if is_new:
            for track in self._objects.values():
                track.memory.tick()
        return current

    def _give_late(
        self, track: ObjectTrack, frame: np.ndarray, index: int, prompt: Prompt
    ) -> ObjectResult:
        past, now = self._frames.past(frame, index)
        track.process_late(self._rules, past, now, self._rungs.window, prompt)
        return self._results(past, [track.object_id])[track.object_id]

    def _process(
        self, track: ObjectTrack, frame: CurrentFrame, prompt: Optional[Prompt] = None
    ) -> None:
        track.process(self._rules, frame, self._rungs.window, prompt)

    def _results(self, frame: CurrentFrame, ids: Sequence[int]) -> Dict[int, ObjectResult]:
        threshold = self.bundle.manifest.postprocess.mask_threshold
        scratch, apart = self._frames.scratch, self._rules.non_overlap
        with frame.clock.stage(POSTPROCESS):
            found = object_results(ids, frame, scratch, threshold, apart)
            return clean_results(found, self._cleaning, threshold)
