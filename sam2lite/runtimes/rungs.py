"""The graphs of each rung, opened on first use; in the background where nobody waits for them.

Graphs that many videos never need are opened for the first frame that does, unless every frame is
in a hurry: see `RungLoader.prepare`.
"""

import threading
import time
from typing import Any, Callable, Dict, Mapping, Optional

from sam2lite.contracts.family import Family
from sam2lite.runtimes.session import Session

OpenSession = Callable[[str], Session]
CheckGraph = Callable[[str], None]


class RungGraphs:
    """The sessions that a frame of one rung needs.

    Attributes:
        rung: side of the network's input, px.
        sessions: that are open, of the rung's own graphs and of those that all rungs share, by
            graph name.
        image_encoder: the one of them that takes the image.
        load_ms: how long opening the rung's own took.
        frames: run so far; the first one pays for what ONNX Runtime sets up lazily.
    """

    def __init__(
        self,
        family: Family,
        rung: int,
        open_session: OpenSession,
        check_graph: CheckGraph,
        shared: Mapping[str, Session],
    ) -> None:
        started = time.perf_counter()
        self.rung = rung
        self.sessions = dict(shared)
        self._open_session = open_session
        self._closed_keys: Dict[str, str] = {}
        for graph in family.per_size:
            key = graph.key(rung)
            if graph.on_demand:
                check_graph(key)
                self._closed_keys[graph.name] = key
            else:
                self.sessions[graph.name] = open_session(key)
        self.image_encoder = self.sessions[family.image_encoder.name]
        self.load_ms = 1e3 * (time.perf_counter() - started)
        self.frames = 0

    def session(self, graph: str) -> Session:
        """Return the session of a graph by its name, which is opened if it is not yet.

        Raises:
            SessionError: the backend cannot load the graph.
        """
        if graph in self._closed_keys:
            self.sessions[graph] = self._open_session(self._closed_keys[graph])
            del self._closed_keys[graph]
        return self.sessions[graph]

    def prepare(self) -> None:
        """Open all that is not open yet.

        Raises:
            SessionError: the backend cannot load a graph.
        """
        for graph in list(self._closed_keys):
            self.session(graph)


class RungLoader:
    """Opens rungs, one in the foreground and others in the background, and keeps them all."""

    def __init__(self, family: Family, open_session: OpenSession, check_graph: CheckGraph) -> None:
        """Open the graphs that all rungs share.

        Args:
            family: of the bundle.
            open_session: opens a graph by its key.
            check_graph: raises an error where a graph that is opened later could not be.
        """
        self._family, self._open_session = family, open_session
        self._check_graph = check_graph
        self._prepares = False
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

    def prepare(self) -> None:
        """Open every graph of a rung with it, so that none is opened while a frame waits.

        Rungs that are open already are completed now.

        Raises:
            SessionError: the backend cannot load a graph.
        """
        self._prepares = True
        for graphs in list(self._rungs.values()):
            graphs.prepare()

    def _opened(self, rung: int) -> RungGraphs:
        graphs = RungGraphs(self._family, rung, self._open_session, self._check_graph, self._shared)
        if self._prepares:
            graphs.prepare()
        return graphs

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
