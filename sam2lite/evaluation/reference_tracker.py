"""A network's frame loop in PyTorch, behind the interface of the loop that users run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sam2lite.contracts.arguments import whole_number
from sam2lite.errors import ArgumentError
from sam2lite.runtimes.geometry import (
    HALVING,
    Scratch,
    check_frame,
    checked_resize,
    network_input,
    source_mask,
)
from sam2lite.runtimes.prompts import Prompt, checked_id
from sam2lite.runtimes.results import FrameResult, ObjectResult, masks_apart

if TYPE_CHECKING:
    from torch import Tensor

    from sam2lite.models.loaded import LoadedModel
    from sam2lite.models.networks import Choice, Decided, Seeking

Frame = NDArray[np.uint8]
_INDEX, _OBJECTS = "frame", "objects"  # of `state`


class ReferenceTracker:
    """Follows objects like `VideoSegmenter`, with the network itself in place of its graphs.

    Frames are prepared and masks enlarged as users' are, and told apart as users' are: by their
    index if it is given, by their pixels otherwise. Results have no times and no controller.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        rung: int | None = None,
        choose: Choice | None = None,
        resize: str = HALVING,
        **settings: Any,
    ) -> None:
        """Start without objects.

        Args:
            loaded: the network, fused or not, on any device; it is put into evaluation mode.
            rung: input width, px; the largest if not given.
            choose: the candidate that becomes a mask; by the family's rules if not given.
            resize: of frames, as for `VideoSegmenter`.
            settings: the family's own, as for `VideoSegmenter`.

        Raises:
            UnknownNameError: the network's family does not have a setting, or there is no such
                resize.
            ArgumentError: the network does not take the rung, or a setting is out of its range.
        """
        from sam2lite.models.networks import KeepingApart, Seeking

        self._check_size, self._aspect = loaded.check_size, loaded.aspect
        self._resize = checked_resize(resize)
        self._title = loaded.family.title
        self._loop = loaded.reference(choose, **settings)
        # The same loop, where frames have numbers.
        self._seeking: Seeking | None = self._loop if isinstance(self._loop, Seeking) else None
        self._apart = isinstance(self._loop, KeepingApart) and self._loop.non_overlap
        self.set_rung(loaded.sizes[-1] if rung is None else rung)
        self.reset()

    @property
    def object_ids(self) -> list[int]:
        """Ids of the objects that are followed."""
        return sorted(self._prompted)

    @property
    def rung(self) -> int:
        """Input width of the next frame, px."""
        return self._rung

    def reset(self) -> None:
        """Forget all objects and start counting frames at 0."""
        self._loop.reset()
        self._image: NDArray[np.uint8] | None = None  # of the current frame, as the network sees it
        self._size = (0, 0)  # height and width of the video, px
        self._tracked = False  # whether `track` has returned the current frame
        self._index = -1
        # Whether an object was prompted on the current frame, in the order of their first prompts.
        self._prompted: dict[int, bool] = {}
        # Logits of what is visible on the current frame.
        self._visible: dict[int, NDArray[np.float32]] = {}

    def rewind(self, frame_index: int = 0) -> None:
        """Go back, so that the next frame is an earlier one; see `VideoSegmenter.rewind`.

        Raises:
            ArgumentError: the family's loop cannot go back, or the index is no earlier one.
        """
        if self._seeking is None:
            raise ArgumentError(
                f"memory of {self._title} cannot go back to an earlier frame; call reset() and "
                "prompt again"
            )
        frame_index = whole_number("frame_index", frame_index, 0, self._index + 1)
        self._seeking.seek(frame_index)
        self._image = None
        self._index, self._tracked = frame_index - 1, False

    def set_rung(self, rung: int) -> None:
        """Use another input width from the next frame on, px.

        Raises:
            ArgumentError: the network does not take it.
        """
        self._check_size(rung)
        self._rung = rung

    def prompt(
        self,
        frame: Frame,
        object_id: int = 1,
        points: Any = None,
        labels: Any = None,
        box: Any = None,
        mask: Any = None,
        frame_index: int | None = None,
    ) -> ObjectResult:
        """Point out an object on a frame; see `VideoSegmenter.prompt` for arguments and errors."""
        return self.give(frame, object_id, Prompt(points, labels, box, mask), frame_index)

    def give(
        self, frame: Frame, object_id: int, prompt: Prompt, frame_index: int | None = None
    ) -> ObjectResult:
        """Do what `prompt` does, with a prompt that is made already."""
        object_id = checked_id(object_id)
        check_frame(frame)
        prompt.inside(frame.shape[1], frame.shape[0])  # checked before anything changes
        if object_id not in self._prompted:
            prompt.check_names_object(object_id)
        self._show(frame, frame_index, joins_tracked=True)
        return self._given(object_id, prompt)

    def track(self, frame: Frame, frame_index: int | None = None) -> FrameResult:
        """Follow every object into the next frame, or finish the one that was prompted just now.

        See `VideoSegmenter.track` for the index and errors.
        """
        self._show(frame, frame_index, joins_tracked=False)
        # In the order of the first prompts, which recordings of what graphs are fed depend on.
        decided = {key: self._decided(key, self._loop.track(key)) for key in self._prompted}
        objects = {key: self._result(key, found) for key, found in decided.items()}
        self._tracked = True
        side = 0 if self._image is None else int(self._image.shape[-1])
        return FrameResult(self._index, objects, side, {}, None)

    def correct(
        self,
        object_id: int,
        points: Any = None,
        labels: Any = None,
        box: Any = None,
        mask: Any = None,
    ) -> ObjectResult:
        """Correct an object on the last frame; its memory of that frame is replaced.

        Raises:
            PromptError: nothing is given or it does not fit the frame.
            ArgumentError: there is no such object.
        """
        self._check_known(object_id)
        return self._given(object_id, Prompt(points, labels, box, mask))

    def remove(self, object_id: int) -> None:
        """Stop following an object.

        Raises:
            ArgumentError: there is no such object.
        """
        self._check_known(object_id)
        self._loop.remove(object_id)
        del self._prompted[object_id]
        self._visible.pop(object_id, None)

    def state(self) -> dict[str, Tensor]:
        """Return what is remembered from this frame to the next, by name; see `restore`."""
        import torch

        return {
            **self._loop.state(),
            _INDEX: torch.tensor(self._index),
            _OBJECTS: torch.tensor(list(self._prompted), dtype=torch.int64),
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` of a tracker like this returned, with the next frame.

        There is nothing to correct before `track` has taken that one.
        """
        self.reset()
        self._loop.restore(state)
        self._index = int(state[_INDEX])
        self._prompted = dict.fromkeys(map(int, state[_OBJECTS].tolist()), False)

    def close(self) -> None:
        """Forget all objects."""
        self.reset()

    def _check_known(self, object_id: int) -> None:
        if object_id not in self._prompted:
            raise ArgumentError(f"there is no object {object_id}; known: {self.object_ids}")

    def _show(self, frame: Frame, index: int | None, joins_tracked: bool) -> None:
        """Encode a frame, unless it is the current one; see `VideoSegmenter.track`."""
        import torch

        check_frame(frame)
        if self._image is not None and self._size != frame.shape[:2]:
            raise ArgumentError(
                f"the frame is {frame.shape[1]}x{frame.shape[0]} px, but the video so far is "
                f"{self._size[1]}x{self._size[0]}; call reset() to start another video"
            )
        if index is None:
            if (joins_tracked or not self._tracked) and self._shows(frame):
                return
            index = self._index + 1
        elif whole_number("frame_index", index, 0) == self._index and self._image is not None:
            if not self._shows(frame):
                raise ArgumentError(f"frame {index} has other pixels than before")
            return
        elif index <= self._index:
            raise ArgumentError(f"frame {index} comes after frame {self._index}")
        if self._seeking is not None and index != self._index + 1:
            self._seeking.seek(index)
        self._image = self._prepared(frame, self._rung)
        self._size = frame.shape[:2]
        self._loop.start_frame(torch.from_numpy(self._image))
        self._tracked = False
        self._index = index
        self._visible = {}
        self._prompted = dict.fromkeys(self._prompted, False)

    def _shows(self, frame: Frame) -> bool:
        """Return whether a frame looks the same to the network as the current one."""
        image = self._image
        return image is not None and np.array_equal(
            self._prepared(frame, int(image.shape[-1])), image
        )

    def _prepared(self, frame: Frame, rung: int) -> NDArray[np.uint8]:
        return network_input(frame, rung, aspect=self._aspect, resize=self._resize)

    def _given(self, object_id: int, prompt: Prompt) -> ObjectResult:
        height, width = self._size
        decided = self._loop.prompt(object_id, prompt, width, height)
        self._prompted[object_id] = True
        return self._result(object_id, self._decided(object_id, decided))

    def _decided(self, object_id: int, decided: Decided) -> Decided:
        """Take what was decided about an object on the current frame."""
        self._visible.pop(object_id, None)
        if decided.present:
            self._visible[object_id] = _logits(decided)
        return decided

    def _result(self, object_id: int, decided: Decided) -> ObjectResult:
        height, width = self._size
        if not decided.present:
            mask = np.zeros((height, width), bool)
        elif self._apart:
            mask = masks_apart(self._visible, width, height, Scratch())[object_id]
        else:
            mask = source_mask(self._visible[object_id], width, height)
        return ObjectResult(
            mask,
            _logits(decided),
            float(decided.iou),
            float(decided.object_score),
            decided.present,
            decided.lost,
            self._prompted[object_id],
        )


def _logits(decided: Decided) -> NDArray[np.float32]:
    return decided.logits_hw.detach().float().cpu().numpy()
