"""The frame that is being worked on: its pixels, its graphs, and what was decided on it."""

from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional

import numpy as np

from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.errors import ArgumentError
from sam2lite.runtimes.geometry import HALVING, Scratch, network_input
from sam2lite.runtimes.measuring.stage_clock import PREPROCESS, StageClock
from sam2lite.runtimes.rungs import RungGraphs

# Brings a backend's handle to NumPy.
Host = Callable[[Any], np.ndarray]


class Decision(NamedTuple):
    """What was decided about one object on one frame; fields as in `ObjectResult`.

    `stored` says whether the object's memory was written.
    """

    logits: np.ndarray
    iou: float
    object_score: float
    visible: bool
    lost: bool
    prompted: bool
    stored: bool


class CurrentFrame:
    """The frame that is being worked on, or was last returned.

    Attributes:
        index: of the frame.
        image: uint8 [1, 3, h, size], RGB.
        width: of the source frame, px.
        height: of the source frame, px.
        size: width of the network's input, px.
        graphs: sessions of that size.
        clock: its time by stage.
        host: brings what a graph gave to NumPy.
        decisions: per object what was decided on this frame.
        tracked: whether `track` has returned it.
    """

    def __init__(
        self,
        index: int,
        frame_bgr: np.ndarray,
        graphs: RungGraphs,
        clock: StageClock,
        host: Host,
        scratch: Scratch,
        aspect: Aspect = SQUARE,
        resize: str = HALVING,
    ) -> None:
        self.index = index
        self.height, self.width = frame_bgr.shape[:2]
        self.size = graphs.rung
        self.graphs = graphs
        self.clock = clock
        self.host = host
        self.decisions: Dict[int, Decision] = {}
        self.tracked = False
        self._features: Optional[Dict[str, Any]] = None
        self._aspect, self._resize = aspect, resize
        with clock.stage(PREPROCESS):
            self.image = self._prepared(frame_bgr, scratch)

    def _prepared(self, frame_bgr: np.ndarray, scratch: Optional[Scratch] = None) -> np.ndarray:
        return network_input(frame_bgr, self.size, scratch, self._aspect, self._resize)

    def shows(self, frame_bgr: np.ndarray) -> bool:
        """Return whether a frame looks the same to the network."""
        return np.array_equal(self._prepared(frame_bgr), self.image)

    def is_meant(self, frame_bgr: np.ndarray, joins_tracked: bool) -> bool:
        """Return whether a frame without an index is this one: it looks so.

        Args:
            frame_bgr: uint8 [height, width, 3].
            joins_tracked: whether it may be, although `track` has returned this one.
        """
        return (joins_tracked or not self.tracked) and self.shows(frame_bgr)

    def check_same(self, frame_bgr: np.ndarray) -> None:
        """Raise ArgumentError unless a frame that has this one's index looks like it."""
        if not self.shows(frame_bgr):
            raise ArgumentError(
                "frame {} has other pixels than before; give each frame its own index".format(
                    self.index
                )
            )

    def check_next(self, frame_bgr: np.ndarray) -> None:
        """Raise ArgumentError unless a frame has the size of this one."""
        if (self.height, self.width) != frame_bgr.shape[:2]:
            raise ArgumentError(
                "the frame is {}x{} px, but the video so far is {}x{}; call reset() to start "
                "another video".format(
                    frame_bgr.shape[1], frame_bgr.shape[0], self.width, self.height
                )
            )

    def features(self) -> Dict[str, Any]:
        """Return the image encoder's outputs by name, as handles; the image is encoded once."""
        if self._features is None:
            encoder = self.graphs.image_encoder
            image = encoder.spec.inputs[0]
            self._features = self.run(
                encoder.spec.name, {image.name: self.image.astype(image.dtype, copy=False)}
            )
            self.graphs.frames += 1
        return self._features

    def run(self, graph: str, inputs: Mapping[str, Any]) -> Dict[str, Any]:
        """Run a graph of the family at this frame's size, as a stage of the clock.

        Args:
            graph: its name.
            inputs: arrays, or handles that another graph gave, by name.

        Returns:
            handles by name; `host` brings one to NumPy.

        Raises:
            SessionError: see `Session.run` and `RungGraphs.session`.
        """
        session = self.graphs.session(graph)
        with self.clock.stage(graph):
            return session.run(inputs)
