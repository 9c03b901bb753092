"""A bundle whose objects are always present, so that every frame costs the same.

An object that the network judges absent may not be remembered, which saves the graphs of memory.
How often that happens depends on the weights and the clip, and has no place in a figure about
speed: a budget has to hold while the object is there.
"""

from typing import Any, Dict, Mapping, Optional

import numpy as np

from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.session import Session

_PRESENT = 1.0  # by how much an object score is above its threshold


class AlwaysPresent(Bundle):
    """Gives the sessions of a bundle, with the object score set to present."""

    def open_session(
        self, key: str, threads: Optional[int] = None, provider: Optional[str] = None
    ) -> Session:
        """Open one graph by its key; see `Bundle.open_session`."""
        session = super().open_session(key, threads, provider)
        score = next((t for t in session.spec.outputs if t.name == self.family.object_score), None)
        if score is None:
            return session
        above = self.manifest.postprocess.object_score_threshold + _PRESENT
        return _Present(session, {score.name: np.full([int(dim) for dim in score.shape], above)})


def always_present(bundle: Bundle) -> AlwaysPresent:
    """Return an open bundle as one whose objects are always present."""
    return AlwaysPresent(
        bundle.path, bundle.manifest, bundle.sha256, bundle.backend, bundle.simulate
    )


class _Present(Session):
    def __init__(self, inner: Session, instead: Dict[str, np.ndarray]) -> None:
        super().__init__(inner.spec)
        self._inner, self._instead = inner, instead

    def run(self, inputs: Mapping[str, Any]) -> Dict[str, Any]:
        return dict(self._inner.run(inputs), **self._instead)

    def _numpy(self, handle: Any) -> Any:
        return self._inner.numpy(handle)

    def _close(self) -> None:
        self._inner.close()
