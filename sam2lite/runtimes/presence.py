"""A bundle whose objects are always present, so that every frame costs the same.

An object that the network judges absent is not remembered, which saves two of the four graphs. How
often that happens depends on the weights and the clip, and has no place in a figure about speed: a
budget has to hold while the object is there.
"""

from typing import Any, Dict, Mapping, Optional

import numpy as np

from sam2lite.contracts.families.sam2lite import MASK_DECODER
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.session import Session

_PRESENT = 1.0  # as an object score: above 0


class AlwaysPresent(Bundle):
    """Gives the sessions of a bundle, with the mask decoder's object score set to present."""

    def open_session(
        self, key: str, threads: Optional[int] = None, provider: Optional[str] = None
    ) -> Session:
        """Open one graph by its key; see `Bundle.open_session`."""
        session = super().open_session(key, threads, provider)
        return _PresentDecoder(session) if session.spec.name == MASK_DECODER.name else session


def always_present(bundle: Bundle) -> AlwaysPresent:
    """Return an open bundle as one whose objects are always present."""
    return AlwaysPresent(
        bundle.path, bundle.manifest, bundle.sha256, bundle.backend, bundle.simulate
    )


class _PresentDecoder(Session):
    def __init__(self, decoder: Session) -> None:
        super().__init__(decoder.spec)
        self._decoder = decoder

    def run(self, inputs: Mapping[str, Any]) -> Dict[str, Any]:
        return dict(self._decoder.run(inputs), object_score_b1=np.full((1, 1), _PRESENT))

    def _numpy(self, handle: Any) -> Any:
        return self._decoder.numpy(handle)

    def _close(self) -> None:
        self._decoder.close()
