"""What was decided on the last frames, so that a prompt may still come for a frame that is past."""

from collections import OrderedDict, deque
from typing import Deque, Dict

from sam2lite.errors import ArgumentError
from sam2lite.runtimes.rules.current_frame import CurrentFrame, Decision

LATE_FRAMES = 150  # five seconds of video, in which somebody who sees a frame draws a box on it
# The first second of them, in which a click comes: a correction starts from the mask of its frame.
_HINT_FRAMES = 32


class RecentFrames:
    """Decisions by object of the last frames that `track` returned."""

    def __init__(self) -> None:
        self._decisions: "OrderedDict[int, Dict[int, Decision]]" = OrderedDict()
        self._with_masks: Deque[int] = deque()

    def add(self, frame: CurrentFrame) -> None:
        """Keep what was decided on a frame; of those before, the oldest may go.

        Decisions hold masks, so that of older frames no more is kept than that they were tracked.
        """
        if frame.index not in self._decisions:
            self._with_masks.append(frame.index)
        self._decisions[frame.index] = frame.decisions
        if len(self._with_masks) > _HINT_FRAMES:
            self._decisions[self._with_masks.popleft()] = {}
        while len(self._decisions) > LATE_FRAMES:
            self._decisions.popitem(last=False)

    def forget(self, object_id: int) -> None:
        """Forget what was decided of an object."""
        for decisions in self._decisions.values():
            decisions.pop(object_id, None)

    def on(self, frame_index: int) -> Dict[int, Decision]:
        """Return what was decided on a frame, as if none of it could be undone.

        Raises:
            ArgumentError: it is not one of the last frames.
        """
        if frame_index not in self._decisions:
            raise ArgumentError(
                "frame {} is none of the last {} that were tracked, and a prompt for it comes too "
                "late; prompt on a newer frame".format(frame_index, LATE_FRAMES)
            )
        decisions = self._decisions[frame_index]
        return {key: decision._replace(stored=False) for key, decision in decisions.items()}
