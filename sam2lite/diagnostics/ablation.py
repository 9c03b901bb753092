"""What a mask owes to the maps of high resolution: the decoder is run without them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sam2lite.contracts.tensors import TensorSpec
from sam2lite.evaluation.metrics import region_j
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.runtimes.session import Session


@dataclass(frozen=True)
class Ablated:
    """What a click gave.

    Attributes:
        without: the maps that were zero; none for the mask as it is.
        mask_hw: bool, in source pixels.
        iou: with the mask as it is.
        predicted_iou: the network's own estimate.
    """

    without: Sequence[str]
    mask_hw: NDArray[np.bool_]
    iou: float
    predicted_iou: float


def fine_maps(bundle: Bundle, size: int) -> list[str]:
    """Return the image encoder's outputs on finer grids than the coarsest, by name."""
    outputs = bundle.manifest.graphs[bundle.family.image_encoder.key(size)].spec.outputs
    widths = {tensor.name: int(tensor.shape[-1]) for tensor in outputs if len(tensor.shape) == 4}
    coarsest = min(widths.values(), default=0)
    return [name for name, width in widths.items() if width > coarsest]


def ablate_skips(
    bundle: Bundle, frame_bgr: NDArray[np.uint8], point: tuple[float, float], size: int
) -> list[Ablated]:
    """Click on a frame with all maps, without each fine one, and without all of those.

    Args:
        bundle: whose graphs are run.
        frame_bgr: uint8 [height, width, 3].
        point: x and y, source px.
        size: width of the input, px.

    Raises:
        PromptError: the point lies outside.
        SessionError: a graph cannot be run here.
    """
    fine = fine_maps(bundle, size)
    choices = [[], *([name] for name in fine), *([fine] if len(fine) > 1 else [])]
    found: list[Ablated] = []
    for without in choices:
        with VideoSegmenter(_AblatedBundle(bundle, without), rung=size) as segmenter:
            given = segmenter.prompt(frame_bgr, points=[point])
        whole = found[0].mask_hw if found else given.mask
        found.append(Ablated(without, given.mask, region_j(given.mask, whole), given.iou))
    return found


class _AblatedBundle(Bundle):
    """A bundle whose image encoder gives zeros for some maps."""

    is_kept = False

    def __init__(self, bundle: Bundle, without: Sequence[str]) -> None:
        super().__init__(
            bundle.path, bundle.manifest, bundle.sha256, bundle.backend, bundle.simulate
        )
        self._without = without

    def open_session(
        self, key: str, threads: int | None = None, provider: str | None = None
    ) -> Session:
        session = super().open_session(key, threads, provider)
        is_encoder = session.spec.name == self.family.image_encoder.name
        return _Zeroing(session, self._without) if is_encoder and self._without else session


class _Zeroing(Session):
    """A session some of whose outputs are zero."""

    def __init__(self, session: Session, names: Sequence[str]) -> None:
        super().__init__(session.spec)
        self._session, self._names = session, names

    def _run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        outputs = self._session.run(inputs)
        zeros = {
            tensor.name: np.zeros(_shape(tensor), tensor.dtype)
            for tensor in self.spec.outputs
            if tensor.name in self._names
        }
        return {**outputs, **zeros}

    def _describe(self, value: Any) -> tuple[str, tuple[int, ...]]:
        return self._session._describe(value)

    def _numpy(self, handle: Any) -> NDArray[Any]:
        return self._session.numpy(handle)

    def _close(self) -> None:
        self._session.close()


def _shape(tensor: TensorSpec) -> tuple[int, ...]:
    return tuple(int(side) for side in tensor.shape)
