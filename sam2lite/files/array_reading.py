"""Arrays from strangers: an `.npz` whose every claim is looked at before its data is read.

NumPy's own reader believes an archive: it unpacks and allocates what the file says, whoever wrote
it. Here a table says which arrays there may be, and of which type, shape and values.
"""

import io
import re
import struct
import zipfile
import zlib
from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple, Type, Union

import numpy as np

from sam2lite.errors import Sam2LiteError
from sam2lite.files.reading import printable, read_bytes

# What zipfile raises for archives that are damaged, encrypted or made to be misread.
_DAMAGED = (
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
_SUFFIX = ".npy"
_HEADER_BYTES = 1024  # more than NumPy writes before any array that is read here
_ENTRY_BYTES = 512  # of a name and its place in the archive's directory, twice
_HEADER = re.compile(
    r"\{'descr': '([<>|=][biufU]\d{1,4})', 'fortran_order': (True|False), "
    r"'shape': \(((?:\d{1,9}L?, ?)*(?:\d{1,9}L?)?)\),? *\} *\n"
)
_KINDS = {"b": "b", "i": "iu", "f": "f", "U": "U"}  # of types that hold the same values

Length = Union[int, Tuple[int, ...]]


class Column(NamedTuple):
    """What an array must be.

    Attributes:
        dtype: what it becomes; a file may hold it in another width or byte order.
        shape: per axis its length, or the lengths that it may have.
        least: of its numbers; None for no limit but that they are finite.
        most: likewise.
        needed: whether it must be there.
    """

    dtype: str
    shape: Tuple[Length, ...] = ()
    least: Optional[float] = None
    most: Optional[float] = None
    needed: bool = True

    @property
    def most_bytes(self) -> int:
        """How large it may be in a file, in the widest type."""
        count = 1
        for length in self.shape:
            count *= max(length) if isinstance(length, tuple) else length
        width = 8
        if np.dtype(self.dtype).kind == "U":
            width = np.dtype(self.dtype).itemsize
        return count * width


class ArrayFile:
    """An `.npz`, its names and sizes known, its arrays not yet read."""

    def __init__(
        self, path: str, kind: str, max_bytes: int, error: Type[Sam2LiteError], remedy: str
    ) -> None:
        """Read the archive's directory.

        Args:
            path: of the file.
            kind: of file that it should be, in words.
            max_bytes: of the file.
            error: what is raised, here and later.
            remedy: ends the message.

        Raises:
            Sam2LiteError: of the type `error`; the file cannot be read, is no such archive, or has
                a name twice.
        """
        self._path, self._kind, self._error, self._remedy = path, kind, error, remedy
        raw = read_bytes(path, max_bytes, error, remedy)
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(raw))
        except _DAMAGED as fault:
            raise self.fault(str(fault)) from None
        self._members = {}  # type: Dict[str, zipfile.ZipInfo]
        for info in self._archive.infolist():
            name = info.filename
            if not name.endswith(_SUFFIX):
                raise self.fault("{!r} is no array".format(name[:80]))
            if name[: -len(_SUFFIX)] in self._members:
                raise self.fault("{!r} is there twice".format(name[:80]))
            self._members[name[: -len(_SUFFIX)]] = info

    def fault(self, problem: str) -> Sam2LiteError:
        """Return the error that names the file, a problem and the remedy."""
        return self._error(
            "{} is not a readable {} ({}); {}".format(
                printable(self._path), self._kind, printable(problem), self._remedy
            )
        )

    def read(self, columns: Mapping[str, Column], others: bool = False) -> Dict[str, np.ndarray]:
        """Return arrays of the archive by name, each an array of its own.

        Args:
            columns: what each must be.
            others: whether there may be more, which are left alone.

        Raises:
            Sam2LiteError: one is missing, unknown, damaged, too large, or not what it must be.
        """
        for name, column in columns.items():
            if column.needed and name not in self._members:
                raise self.fault("{} is missing".format(name))
        for name, info in self._members.items():
            # Before anything is unpacked: what the archive says of itself bounds what it can give.
            if name in columns:
                if info.file_size > columns[name].most_bytes + _HEADER_BYTES:
                    raise self.fault("{} has {} bytes".format(name, info.file_size))
            elif not others:
                raise self.fault("{!r} is unknown".format(name[:80]))
        return {
            name: self._checked(name, columns[name]) for name in columns if name in self._members
        }

    def _checked(self, name: str, column: Column) -> np.ndarray:
        info = self._members[name]
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self.fault("{} is packed in an unknown way".format(name))
        try:
            with self._archive.open(info) as stream:
                raw = stream.read(column.most_bytes + _HEADER_BYTES)
            array = _array(raw, column)
            _check_values(array, column)
        except _DAMAGED as fault:
            raise self.fault("{} {}".format(name.rpartition("/")[2], fault)) from None
        # A copy: what was read belongs to the file's bytes.
        return array.astype(column.dtype)


def most_bytes(columns: Mapping[str, Column]) -> int:
    """Return how large a file of arrays may be."""
    parts = (column.most_bytes + _HEADER_BYTES for column in columns.values())
    return sum(parts) + _ENTRY_BYTES * (len(columns) + 1)


def _array(raw: bytes, column: Column) -> np.ndarray:
    """Return the array in the bytes of an `.npy`, its type and shape as they must be."""
    major = raw[6] if raw[:6] == b"\x93NUMPY" and len(raw) > 12 else 0
    if major not in (1, 2, 3):
        raise ValueError("is no array")
    start = 10 if major == 1 else 12
    (length,) = struct.unpack("<H" if major == 1 else "<I", raw[8:start])
    header = raw[start : start + min(length, _HEADER_BYTES)].decode("latin1")
    found = _HEADER.match(header)
    if found is None or found.end() != length:
        raise ValueError("has a header that NumPy does not write")
    descr, order, lengths = found.groups()
    dtype = np.dtype(descr)
    wanted = np.dtype(column.dtype)
    limit = wanted.itemsize if wanted.kind == "U" else 8
    if dtype.kind not in _KINDS[wanted.kind] or not 0 < dtype.itemsize <= limit:
        raise ValueError("is {}, not {}".format(dtype, wanted))
    shape = tuple(int(text.rstrip("L")) for text in lengths.replace(" ", "").split(",") if text)
    if len(shape) != len(column.shape) or not all(map(_is_length, shape, column.shape)):
        raise ValueError("is {}, not {}".format(list(shape), _words(column.shape)))
    count = 1
    for each in shape:
        count *= each
    data = raw[start + length :]
    if len(data) != count * dtype.itemsize:
        raise ValueError("has {} bytes of data, not {}".format(len(data), count * dtype.itemsize))
    array = np.frombuffer(data, dtype) if count else np.zeros(0, dtype)
    return array.reshape(shape, order="F" if order == "True" else "C")


def _words(shape: Tuple[Length, ...]) -> str:
    lengths = (length if isinstance(length, tuple) else (length,) for length in shape)
    return "[{}]".format(", ".join(" or ".join(map(str, each)) for each in lengths))


def _is_length(length: int, allowed: Length) -> bool:
    return length in allowed if isinstance(allowed, tuple) else length == allowed


def _check_values(array: np.ndarray, column: Column) -> None:
    if array.dtype.kind == "U":
        array.tolist()  # a ValueError where a code point is none
        return
    if array.dtype.kind == "b":
        if (array.view(np.uint8) > 1).any():
            raise ValueError("has a value that is neither true nor false")
        return
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError("has numbers that are not finite")
    limits = _limits(column)
    # One by one where they are integers: NumPy would compare them as float64.
    if array.size and not (limits[0] <= _python(array.min()) <= _python(array.max()) <= limits[1]):
        raise ValueError("has numbers outside {:g} to {:g}".format(*limits))


def _limits(column: Column) -> Tuple[Any, Any]:
    dtype = np.dtype(column.dtype)
    widest = np.iinfo(dtype) if dtype.kind == "i" else np.finfo(dtype)  # type: Any
    least = _python(widest.min) if column.least is None else column.least
    return least, _python(widest.max) if column.most is None else column.most


def _python(number: Any) -> Any:
    return number.item() if hasattr(number, "item") else number
