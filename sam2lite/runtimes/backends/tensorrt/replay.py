"""CUDA graphs: what an engine puts on the stream, captured once and launched as one.

A small network is a few hundred kernels, and to launch each takes a slow CPU longer than the GPU
takes to run it. A captured graph holds the addresses it was captured with, so there is one for each
set of addresses that comes again.
"""

from typing import Callable, Dict, Optional, Set, Tuple

from sam2lite.errors import SessionError
from sam2lite.runtimes.backends.tensorrt.runtime import TrtRuntime

MAX_GRAPHS = 16  # of one engine; they take memory, and one object needs one or two

Addresses = Tuple[int, ...]


class Replay:
    """Runs one engine, through a captured graph where there is one.

    Attributes:
        off_because: why nothing is captured, or None.
    """

    def __init__(self, runtime: TrtRuntime) -> None:
        self.off_because: Optional[str] = None if runtime.graphs else "it is turned off"
        self._runtime = runtime
        self._graphs: Dict[Addresses, int] = {}
        self._seen: Set[Addresses] = set()

    def run(self, addresses: Addresses, enqueue: Callable[[], None]) -> None:
        """Put one run on the stream.

        The first run with new addresses is a plain one. TensorRT asks for that, as it sets up some
        things on a first run that cannot be captured.

        Args:
            addresses: of all tensors.
            enqueue: puts the run with these addresses on the stream, or raises SessionError.

        Raises:
            SessionError: a plain run failed too.
        """
        graph = self._graphs.get(addresses)
        if graph is None and self.off_because is None and len(self._graphs) < MAX_GRAPHS:
            if addresses in self._seen:
                graph = self._capture(addresses, enqueue)
            else:
                self._seen.add(addresses)
        if graph is None:
            enqueue()
        else:
            self._runtime.cuda.launch(graph, self._runtime.stream)

    def _capture(self, addresses: Addresses, enqueue: Callable[[], None]) -> Optional[int]:
        """Return a new graph; None where the device or the engine does not allow it."""
        cuda, stream = self._runtime.cuda, self._runtime.stream
        try:
            with self._runtime.capturing():
                cuda.begin_capture(stream)
                failure: Optional[SessionError] = None
                try:
                    enqueue()
                except SessionError as error:
                    failure = error
                graph = cuda.end_capture(stream)  # always, or the stream records for ever
            if failure is not None:
                cuda.destroy_graph(graph)
                raise failure
        except SessionError as error:
            self.off_because = str(error)
            return None
        self._graphs[addresses] = graph
        return graph

    def close(self) -> None:
        """Forget the graphs; none may be running."""
        for graph in self._graphs.values():
            self._runtime.release(self._runtime.cuda.destroy_graph, graph)
        self._graphs.clear()
