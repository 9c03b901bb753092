"""Where an ONNX graph keeps its weights: only in files that its bundle lists and has checked.

A graph names the file of a tensor in its own bytes. ONNX Runtime follows such a name wherever it
leads: over absolute paths and links, and older releases into the memory of the process, by the name
`*/_ORT_MEM_ADDR_/*`. So every graph of a bundle passes here before any runtime sees it. Tensors are
looked for wherever ONNX may have one: weights, attributes of nodes, graphs within nodes, functions.
"""

import mmap
from typing import Dict, List, Mapping, Optional, Set, Tuple

from sam2lite.contracts.manifest import FileEntry
from sam2lite.errors import BundleError
from sam2lite.files.reading import printable
from sam2lite.runtimes.backends.onnx_wire import BYTES, VARINT, Data, fields

# The fields of each message (onnx.proto3) through which a tensor can be reached.
MESSAGES: Mapping[str, Mapping[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "TensorProto": {},
}
# Those that a message may have once. A parser merges what is there twice, so that two halves, each
# harmless, may name a file together.
_ONCE: Mapping[str, Set[int]] = {
    "ModelProto": {7},
    "TrainingInfoProto": {1, 2},
    "SparseTensorProto": {1, 2},
    "AttributeProto": {5, 6, 22},
}
_INPUT, _OP_TYPE = 1, 4  # of NodeProto
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of TensorProto
_KEY, _VALUE = 1, 2  # of StringStringEntryProto
_KNOWN_KEYS = {"location", "offset", "length", "checksum"}
_MOST_TEXT = 4096  # bytes of a key or value
SUFFIX = ".onnx"
MAX_DEPTH = 100  # of messages in one another, as protobuf has it
# A node that holds, or names a file with, code that another compiler made for some device.
_COMPILED = b"EPContext"
# Operators that end the process where an input is an empty name (ONNX Runtime 1.31).
_WHOLE = {b"LayerNormalization"}


def check_external(path: str, file: str, files: Mapping[str, FileEntry]) -> None:
    """Refuse a graph whose weights are anywhere but in itself or in listed files.

    Args:
        path: of the .onnx file, a regular one.
        file: its name in the bundle; the names in it count from its folder.
        files: what the manifest lists.

    Raises:
        BundleError: a tensor is in a file that is not listed or beyond the file's end; the graph
            holds compiled code; or it is no ONNX file.
    """
    folder = file.rpartition("/")[0]
    if not file.endswith(SUFFIX):  # ONNX Runtime would read an `.ort` as a format of its own
        raise BundleError(
            "{} is no ONNX graph by its name, which ends in {}; export the bundle again".format(
                file, SUFFIX
            )
        )
    try:
        with open(path, "rb") as stream, _mapped(stream.fileno()) as data:
            _check(data, file, folder, files)
    except (OSError, ValueError) as error:
        raise BundleError(
            "{} is no ONNX graph that can be used ({}); copy or export the bundle again".format(
                printable(path), error
            )
        ) from None


def _mapped(descriptor: int) -> mmap.mmap:
    return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)


def _check(data: Data, file: str, folder: str, files: Mapping[str, FileEntry]) -> None:
    """Go through a model; a stack of its own, since files nest deeper than Python calls."""
    left: List[Tuple[str, int, int, int]] = [("ModelProto", 0, len(data), 0)]
    while left:
        message, start, end, depth = left.pop()
        if depth > MAX_DEPTH:
            raise ValueError("messages nest deeper than {}".format(MAX_DEPTH))
        if message == "TensorProto":
            place = _external_place(data, start, end)
            if place is not None:
                _check_place(place, file, folder, files)
            continue
        within, once = MESSAGES[message], _ONCE.get(message, set())
        is_node = message == "NodeProto"
        seen: Set[int] = set()
        operator, leaves_out = b"", False
        for number, wire_type, first, behind in fields(data, start, end):
            if number in within:
                if wire_type != BYTES:
                    raise ValueError("field {} of {} is no message".format(number, message))
                if number in once and number in seen:
                    raise ValueError("field {} of {} is there twice".format(number, message))
                seen.add(number)
                left.append((within[number], first, behind, depth + 1))
            elif is_node and wire_type == BYTES:
                if number == _OP_TYPE:
                    operator = data[first:behind]
                elif number == _INPUT and first == behind:
                    leaves_out = True
        if operator == _COMPILED:
            raise ValueError("a node holds compiled code")
        if leaves_out and operator in _WHOLE:
            raise ValueError("a node {} leaves an input out".format(operator.decode("ascii")))


def _external_place(data: Data, start: int, end: int) -> Optional[Dict[str, str]]:
    """Return what a tensor says of its place outside the graph, or None if it is inside.

    Data that a tensor names without using them are looked at, too: readers disagree on which of
    its fields decides.
    """
    place: Dict[str, str] = {}
    is_external = False
    for number, wire_type, first, behind in fields(data, start, end):
        if number == _DATA_LOCATION:
            if wire_type != VARINT:
                raise ValueError("the place of a tensor is no number")
            is_external = is_external or first != 0
        elif number == _EXTERNAL_DATA:
            if wire_type != BYTES:
                raise ValueError("the place of a tensor is no text")
            key, value = _entry(data, first, behind)
            if key in place or key not in _KNOWN_KEYS:
                raise ValueError(
                    "the place of a tensor has {} {}".format(
                        "a second" if key in place else "the unknown key", ascii(key)
                    )
                )
            place[key] = value
    if not is_external and not place:
        return None
    if "location" not in place:
        raise ValueError("a tensor is in another file, and does not say in which")
    return place


def _entry(data: Data, start: int, end: int) -> Tuple[str, str]:
    found: Dict[int, str] = {}
    for number, wire_type, first, behind in fields(data, start, end):
        if number not in (_KEY, _VALUE) or wire_type != BYTES or number in found:
            raise ValueError("the place of a tensor is said twice, or not in words")
        if behind - first > _MOST_TEXT:
            raise ValueError("the place of a tensor has a text of {} bytes".format(behind - first))
        found[number] = data[first:behind].decode("utf-8")
    return found.get(_KEY, ""), found.get(_VALUE, "")


def _check_place(
    place: Mapping[str, str], file: str, folder: str, files: Mapping[str, FileEntry]
) -> None:
    # Names that the manifest lists lead only down, so that this one may be joined and looked up.
    name = folder + "/" + place["location"] if folder else place["location"]
    # A listed file of that name would not help: older releases take the name for an address.
    if name not in files or "*" in name:
        raise BundleError(
            "{} has weights in {}, which the manifest does not list; it was not made by "
            "sam2lite".format(file, ascii(place["location"]))
        )
    size = files[name].bytes
    offset = _whole(place.get("offset", "0"))
    length = _whole(place.get("length", str(max(0, size - offset))))
    if offset + length > size:
        raise BundleError(
            "{} has weights at bytes {} to {} of {}, which has {}; copy or export the bundle "
            "again".format(file, offset, offset + length, name, size)
        )


def _whole(digits: str) -> int:
    # Python's digits are more than ASCII's, and 19 are those of 2^63 - 1.
    if not 1 <= len(digits) <= 19 or digits.strip("0123456789"):
        raise ValueError("a tensor is at byte {}".format(ascii(digits[:24])))
    return int(digits)
