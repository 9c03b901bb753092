"""A CUDA of the host's own memory that is as late as CUDA may be.

Work is put on a stream and done only when the stream is synchronised, so whoever reads too early,
or changes what a copy has not read yet, gets wrong numbers here too. What CUDA would answer with a
crash is kept in `violations`, since a finaliser cannot raise.

Written for Python 3.6, as the code that it tests.
"""

import ctypes
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Set, Tuple

import numpy as np

from sam2lite.errors import SessionError
from sam2lite.runtimes.backends.tensorrt.cuda_interface import Cuda

ADDRESS_STEP = 1 << 20  # device addresses are far apart, so that none is inside another's memory
TOTAL_BYTES = 4 << 30


class Copy(NamedTuple):
    """One copy between host and device."""

    to_device: bool
    size: int


class FakeCuda(Cuda):
    """Holds device memory in byte arrays, counts, and keeps work waiting.

    Attributes:
        memory: live device memory by address.
        pinned: live host memory by address.
        violations: what a real device would not have forgiven.
        copies: between host and device, in the order in which they were put on a stream.
        launches: of captured graphs so far.
        syncs: so far.
        allocations: of device memory so far.
        capture_error: what `end_capture` fails with, if anything.
        fails_with: what `synchronize` fails with, if anything.
        limit_bytes: of device memory.
    """

    name = "fake"

    def __init__(self, limit_bytes: int = TOTAL_BYTES) -> None:
        self.memory: Dict[int, np.ndarray] = {}
        self.pinned: Dict[int, np.ndarray] = {}
        self.streams: Dict[int, List[Callable[[], None]]] = {}
        self.graphs: Dict[int, List[Callable[[], None]]] = {}
        self.violations: List[str] = []
        self.copies: List[Copy] = []
        self.launches = self.syncs = self.allocations = 0
        self.capture_error = ""
        self.fails_with = ""
        self.limit_bytes = limit_bytes
        self._capture: Optional[List[Callable[[], None]]] = None
        self._launched: Set[int] = set()
        self._next = ADDRESS_STEP

    @property
    def used_bytes(self) -> int:
        """Device memory that is allocated."""
        return sum(len(array) for array in self.memory.values())

    def nothing_left(self) -> bool:
        """Whether everything was given back and nothing forbidden was done."""
        left = (self.memory, self.pinned, self.streams, self.graphs, self.violations)
        return not any(left)

    def malloc(self, size: int) -> int:
        self._outside_capture("cudaMalloc")
        if self.used_bytes + size > self.limit_bytes:
            raise SessionError("cudaMalloc failed: out of memory (CUDA error 2)")
        self.allocations += 1
        address = self._handle()
        self.memory[address] = np.full(size, 0xA5, np.uint8)
        return address

    def free(self, pointer: int) -> None:
        self._outside_capture("cudaFree")
        if any(self.streams.values()):
            self._violation("device memory was freed while work was waiting")
        if self.memory.pop(pointer, None) is None:
            self._violation("freed device memory that is not there")

    def malloc_host(self, size: int) -> int:
        array = np.full(size, 0xA5, np.uint8)
        self.pinned[array.ctypes.data] = array
        return int(array.ctypes.data)

    def free_host(self, pointer: int) -> None:
        if any(self.streams.values()):
            self._violation("host memory was freed while work was waiting")
        if self.pinned.pop(pointer, None) is None:
            self._violation("freed host memory that is not there")

    def copy_to_device(self, device: int, host: int, size: int, stream: int) -> None:
        def copy() -> None:
            if host not in self.pinned:
                self._violation("copied from host memory that may have moved")
            else:
                self.write(device, ctypes.string_at(host, size))

        self.copies.append(Copy(True, size))
        self.put(copy, stream)

    def copy_to_host(self, host: int, device: int, size: int, stream: int) -> None:
        def copy() -> None:
            ctypes.memmove(host, self.read(device, size).tobytes(), size)

        self.copies.append(Copy(False, size))
        self.put(copy, stream)

    def create_stream(self) -> int:
        stream = self._handle()
        self.streams[stream] = []
        return stream

    def destroy_stream(self, stream: int) -> None:
        del self.streams[stream]

    def synchronize(self, stream: int) -> None:
        self._outside_capture("cudaStreamSynchronize")
        self.syncs += 1
        self._launched.clear()
        work, self.streams[stream] = self.streams[stream], []
        for step in work:
            step()
        if self.fails_with:
            raise SessionError(self.fails_with)

    def begin_capture(self, stream: int) -> None:
        self._capture = []

    def end_capture(self, stream: int) -> int:
        recorded, self._capture = self._capture, None
        assert recorded is not None
        if self.capture_error:
            raise SessionError(self.capture_error)
        graph = self._handle()
        self.graphs[graph] = recorded
        return graph

    def launch(self, graph: int, stream: int) -> None:
        self.launches += 1
        self._launched.add(graph)
        for step in self.graphs[graph]:
            self.put(step, stream)

    def destroy_graph(self, graph: int) -> None:
        if graph in self._launched:
            self._violation("a graph was destroyed while it was waiting to run")
        del self.graphs[graph]

    def memory_info(self) -> Tuple[int, int]:
        return self.limit_bytes - self.used_bytes, self.limit_bytes

    def put(self, step: Callable[[], None], stream: int) -> None:
        """Put a step on a stream, or into the graph that is being captured."""
        waiting = self.streams[stream]
        (waiting if self._capture is None else self._capture).append(step)

    def read(self, pointer: int, size: int) -> np.ndarray:
        """Return a copy of device memory, for a step that runs."""
        memory = self._at(pointer, size)
        return memory.copy()

    def write(self, pointer: int, content: Any) -> None:
        """Change device memory, for a step that runs."""
        memory = self._at(pointer, len(content))
        memory[:] = np.frombuffer(content, np.uint8)

    def _at(self, pointer: int, size: int) -> np.ndarray:
        memory = self.memory.get(pointer)
        if memory is None or len(memory) != size:
            self._violation("device memory that is not there, or of another size, was used")
            return np.zeros(size, np.uint8)
        return memory

    def _handle(self) -> int:
        self._next += ADDRESS_STEP
        return self._next

    def _violation(self, text: str) -> None:
        self.violations.append(text)

    def _outside_capture(self, function: str) -> None:
        if self._capture is not None:
            self.capture_error = function + " is not permitted while a stream is capturing"
            raise SessionError(self.capture_error)
