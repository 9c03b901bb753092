"""The graphs of each rung, opened on first use; in the background where nobody waits for them."""

import threading
import time
from typing import Any, Callable, Dict, Mapping, Optional

from sam2lite.contracts.family import Family
from sam2lite.runtimes.session import Session

OpenSession = Callable[[str], Session]


class RungGraphs:
    """The sessions that a frame of one rung needs.

    Attributes:
        rung: side of the network's input, px.
        sessions: of the rung's own graphs and of those that all rungs share, by graph name.
        image_encoder: the one of them that takes the image.
        load_ms: how long opening the rung's own took.
        frames: run so far; the first one pays for what ONNX Runtime sets up lazily.
    """

    def __init__(
        self, family: Family, rung: int, open_session: OpenSession, shared: Mapping[str, Session]
    ) -> None:
        started = time.perf_counter()
        self.rung = rung
        self.sessions = dict(shared)
        self.sessions.update(
            {graph.name: open_session(graph.key(rung)) for graph in family.per_size}
        )
        self.image_encoder = self.sessions[family.image_encoder.name]
        self.load_ms = 1e3 * (time.perf_counter() - started)
        self.frames = 0


class RungLoader:
    """Opens rungs, one in the foreground and others in the background, and keeps them all."""

    def __init__(self, family: Family, open_session: OpenSession) -> None:
        self._family, self._open_session = family, open_session
        self._rungs: Dict[int, RungGraphs] = {}
        self._thread: Optional[threading.Thread] = None
        self._error: Optional[Exception] = None
        self._shared = {graph.name: open_session(graph.name) for graph in family.shared}

    @property
    def loading(self) -> bool:
        """Whether a rung is being opened in the background now."""
        return self._thread is not None and self._thread.is_alive()

    def get(self, rung: int) -> RungGraphs:
        """Return a rung's graphs, waiting for them."""
        self._join_unless_loading()
        if rung not in self._rungs:
            if self._thread is not None:
                self._thread.join()
                self._join_unless_loading()
            if rung not in self._rungs:
                self._rungs[rung] = self._opened(rung)
        return self._rungs[rung]

    def get_or_request(self, rung: int, meanwhile: int) -> RungGraphs:
        """Return a rung's graphs if they are there, else start opening them and return another's.

        Args:
            rung: what is wanted.
            meanwhile: what to use until it is there; it must be.
        """
        self._join_unless_loading()
        if rung in self._rungs:
            return self._rungs[rung]
        if self._thread is None:
            self._thread = threading.Thread(target=self._load, args=(rung,), daemon=True)
            self._thread.start()
        return self._rungs[meanwhile]

    def _opened(self, rung: int) -> RungGraphs:
        return RungGraphs(self._family, rung, self._open_session, self._shared)

    def _load(self, rung: int) -> None:
        try:
            self._rungs[rung] = self._opened(rung)
        except Exception as error:  # raised again where the caller can see it
            self._error = error

    def _join_unless_loading(self) -> None:
        if self._thread is not None and not self._thread.is_alive():
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def close(self) -> None:
        """Wait for what is being opened, and close every session."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        for graphs in self._rungs.values():
            for session in graphs.sessions.values():
                session.close()
        for session in self._shared.values():
            session.close()

    def numpy(self, handle: Any) -> Any:
        """Bring a handle of any session to the host."""
        graphs = next(iter(self._rungs.values()))
        return next(iter(graphs.sessions.values())).numpy(handle)
