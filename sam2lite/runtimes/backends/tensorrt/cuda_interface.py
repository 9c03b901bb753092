"""What the TensorRT adapter needs of CUDA; three packages give it."""

from typing import Tuple

from sam2lite.errors import SessionError


class Cuda:
    """Memory, copies, streams and captured graphs of the first device.

    Pointers, streams and graphs are plain integers. Copies and launches are put on a stream and
    return; what they read and write must stay until the stream was synchronised.

    Every method raises SessionError with CUDA's own message where CUDA fails.

    Attributes:
        name: of the package that does it, for messages.
    """

    name = ""

    def malloc(self, size: int) -> int:
        """Return `size` bytes of device memory."""
        raise NotImplementedError

    def free(self, pointer: int) -> None:
        """Give device memory back; no work that uses it may be waiting."""
        raise NotImplementedError

    def malloc_host(self, size: int) -> int:
        """Return `size` bytes of host memory that stays in place, which the device can read."""
        raise NotImplementedError

    def free_host(self, pointer: int) -> None:
        """Give memory of `malloc_host` back."""
        raise NotImplementedError

    def copy_to_device(self, device: int, host: int, size: int, stream: int) -> None:
        """Copy `size` bytes."""
        raise NotImplementedError

    def copy_to_host(self, host: int, device: int, size: int, stream: int) -> None:
        """Copy `size` bytes; any host memory will do."""
        raise NotImplementedError

    def create_stream(self) -> int:
        """Make a stream that does not wait for the default one, nor that one for it.

        Opening an engine uses the default stream, which would spoil a capture that another thread
        has under way on a stream of the usual kind.
        """
        raise NotImplementedError

    def destroy_stream(self, stream: int) -> None:
        """Undo `create_stream`."""
        raise NotImplementedError

    def synchronize(self, stream: int) -> None:
        """Wait until all work on a stream is done; failures of that work show up here."""
        raise NotImplementedError

    def begin_capture(self, stream: int) -> None:
        """Record what this thread puts on the stream from now on, instead of running it."""
        raise SessionError("{} captures no graphs".format(self.name))

    def end_capture(self, stream: int) -> int:
        """Stop recording and return the graph, ready to launch; the stream works again."""
        raise NotImplementedError

    def launch(self, graph: int, stream: int) -> None:
        """Run a graph on a stream."""
        raise NotImplementedError

    def destroy_graph(self, graph: int) -> None:
        """Undo `end_capture`."""
        raise NotImplementedError

    def memory_info(self) -> Tuple[int, int]:
        """Return the free and the total device memory, bytes."""
        raise NotImplementedError
