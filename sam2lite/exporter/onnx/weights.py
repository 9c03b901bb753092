"""Weights shared by the graphs of a bundle: every tensor once, in one file.

The rungs of a network differ in shapes, not in weights. ONNX lets an initializer point into a file
next to the graph (external data), and nothing keeps several graphs from pointing at the same bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Self

from sam2lite.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    import onnx

WEIGHTS_FILE = "weights.bin"

# Smaller tensors stay in the graph: shapes must, and the rest would cost more than it saves. The
# scales of INT8 weights, a number a channel, are above it: every rung has the same ones.
THRESHOLD_BYTES = 256

# onnxruntime maps the file into memory; ONNX recommends offsets at multiples of the page size for
# that. Tensors of a few pages would be a good part padding, so they come one after the other.
PAGE_BYTES = 4096
LARGE_BYTES = 16 * PAGE_BYTES
VECTOR_BYTES = 64


@dataclass(frozen=True)
class WeightReport:
    """What a store holds, in bytes without padding.

    Attributes:
        tensors: initializers that point into the file.
        stored_tensors: different ones among them.
        referenced_bytes: size of all tensors, had each graph its own.
        stored_bytes: size of the different ones.
        file_bytes: size of the file.
    """

    tensors: int
    stored_tensors: int
    referenced_bytes: int
    stored_bytes: int
    file_bytes: int

    @property
    def saved_bytes(self) -> int:
        """Bytes that sharing saved."""
        return self.referenced_bytes - self.stored_bytes


class WeightStore:
    """Writes `weights.bin` in a folder; a context manager, complete when it closes.

        with WeightStore(folder) as store:
            for name, model in graphs.items():
                store.externalise(model)
                onnx.save(model, folder / f"{name}.onnx")

    The same models in the same order give the same file.
    """

    def __init__(self, folder: Path) -> None:
        """Create the file.

        Raises:
            OutputError: it exists, or the folder cannot be written.
        """
        self.path = folder / WEIGHTS_FILE
        try:
            self._file: BinaryIO = self.path.open("xb")
        except OSError as error:
            raise OutputError(
                f"cannot create {self.path}: {error.strerror}; give a new, writable folder"
            ) from error
        self._offset_by_digest: dict[bytes, int] = {}
        self._tensors = 0
        self._referenced_bytes = 0
        self._stored_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def externalise(self, model: onnx.ModelProto) -> None:
        """Move the initializers of `THRESHOLD_BYTES` or more out of a model, in place.

        The model must be saved in the store's folder: its initializers name the file only. INT64
        stays: it is what shapes and the sizes of parts are, and those ONNX Runtime reads from the
        graph alone.
        """
        from onnx import TensorProto, numpy_helper

        for tensor in model.graph.initializer:
            if not tensor.raw_data:
                tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
            if len(tensor.raw_data) < THRESHOLD_BYTES or tensor.data_type == TensorProto.INT64:
                continue
            location = {
                "location": WEIGHTS_FILE,
                "offset": self._offset(tensor),
                "length": len(tensor.raw_data),
            }
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in location.items():
                tensor.external_data.add(key=key, value=str(value))

    def report(self) -> WeightReport:
        """Return what the store holds so far."""
        return WeightReport(
            self._tensors,
            len(self._offset_by_digest),
            self._referenced_bytes,
            self._stored_bytes,
            self._file.tell() if not self._file.closed else self.path.stat().st_size,
        )

    def _offset(self, tensor: onnx.TensorProto) -> int:
        """Return where the tensor's bytes are, writing them if they are new."""
        self._tensors += 1
        self._referenced_bytes += len(tensor.raw_data)
        header = f"{tensor.data_type} {list(tensor.dims)} ".encode()
        digest = hashlib.sha256(header + tensor.raw_data).digest()
        if digest not in self._offset_by_digest:
            alignment = PAGE_BYTES if len(tensor.raw_data) >= LARGE_BYTES else VECTOR_BYTES
            self._file.write(bytes(-self._file.tell() % alignment))
            self._offset_by_digest[digest] = self._file.tell()
            self._file.write(tensor.raw_data)
            self._stored_bytes += len(tensor.raw_data)
        return self._offset_by_digest[digest]
