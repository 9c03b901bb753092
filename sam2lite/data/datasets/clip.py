"""One clip of a data set: frames and label maps that are read when they are asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.errors import ArgumentError, VideoError

# 1920x1080 scaled to a height of 480 is 853.3 px wide, which some tools round up and some down.
_ROUNDING_PX = 1


class Frames(Protocol):
    """The pictures of a clip."""

    def __len__(self) -> int: ...

    def read(self, indices: Sequence[int]) -> NDArray[np.uint8]:
        """Return these frames, in this order, uint8 [n, H, W, 3] RGB."""


@dataclass(frozen=True)
class DatasetClip:
    """A clip with the attributes of a generated `Clip`, decoded anew at each use.

    A label map names the object at each pixel; 0 is everything else. Where objects overlap, the
    smaller one is on top. A map holds 255 objects at most: of more, the largest 255 are kept, by
    the area that the annotations state.

    Attributes:
        name: unique in its data set.
        frames: the pictures.
        label_readers: for each annotated frame, what reads its label map, uint8 [H, W].
    """

    name: str
    frames: Frames
    label_readers: Mapping[int, Callable[[], NDArray[np.uint8]]]

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def annotated_t(self) -> NDArray[np.bool_]:
        """Whether a frame has a label map, bool [T]; the labels of the others are 0."""
        annotated = np.zeros(len(self), bool)
        annotated[list(self.label_readers)] = True
        return annotated

    @cached_property
    def object_ids(self) -> list[int]:
        """The objects that are seen in one frame at least, ascending; reads every label map.

        Raises:
            VideoError: there is none.
        """
        seen = np.zeros(256, bool)
        for read in self.label_readers.values():
            seen |= np.bincount(read().ravel(), minlength=256) > 0
        if not seen[1:].any():
            raise VideoError(
                f"clip '{self.name}' has no objects: {len(self.label_readers)} label maps, all 0; "
                "annotate it or take it out of the data set"
            )
        return [int(label) for label in np.flatnonzero(seen) if label]

    @property
    def frames_rgb_thwc(self) -> NDArray[np.uint8]:
        """All frames, uint8 [T, H, W, 3]."""
        return self.frames.read(range(len(self)))

    @property
    def labels_thw(self) -> NDArray[np.uint8]:
        """All label maps, uint8 [T, H, W]."""
        return self._labels(range(len(self)), *self._size)

    def load(
        self, first: int, count: int, stride: int = 1
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Read a part of the clip.

        Args:
            first: index of the first frame.
            count: how many frames.
            stride: from one to the next; negative to go backwards.

        Returns:
            Frames, uint8 [count, H, W, 3] RGB, and label maps, uint8 [count, H, W].

        Raises:
            ArgumentError: it reaches beyond the clip, or there is nothing to read.
            VideoError: a file is missing or damaged, or a mask has another size than its frame.
        """
        last = first + (count - 1) * stride
        if count < 1 or stride == 0 or not (0 <= first < len(self) and 0 <= last < len(self)):
            raise ArgumentError(
                f"{count} frames from {first} by {stride} are not in clip '{self.name}', which has "
                f"frames 0 to {len(self) - 1}; ask for fewer, or take a smaller stride"
            )
        indices = [first + step * stride for step in range(count)]
        frames = self.frames.read(indices)
        _, height, width, _ = frames.shape
        return frames, self._labels(indices, height, width)

    @cached_property
    def _size(self) -> tuple[int, int]:
        _, height, width, _ = self.frames.read([0]).shape
        return height, width

    def _labels(self, indices: Sequence[int], height: int, width: int) -> NDArray[np.uint8]:
        labels = np.zeros((len(indices), height, width), np.uint8)
        for labels_hw, index in zip(labels, indices, strict=True):
            if index in self.label_readers:
                labels_hw[:] = self._fitted(self.label_readers[index](), index, height, width)
        return labels

    def _fitted(
        self, labels_hw: NDArray[np.uint8], index: int, height: int, width: int
    ) -> NDArray[np.uint8]:
        rows, columns = labels_hw.shape
        if (rows, columns) == (height, width):
            return labels_hw
        if max(abs(rows - height), abs(columns - width)) > _ROUNDING_PX:
            raise VideoError(
                f"clip '{self.name}': the mask of frame {index} is {columns}x{rows} px, but the "
                f"frame is {width}x{height} px; a mask must have the size of its frame: rescale "
                "one of them, the mask by nearest neighbour"
            )
        size = (width, height)
        return cv2.resize(labels_hw, size, interpolation=cv2.INTER_NEAREST_EXACT).astype(np.uint8)
