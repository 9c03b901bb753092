"""The files of a saved package: its manifest, its specification, the blobs of its weights file.

A blob starts with 64 bytes that say what it is: a mark, its type, its size and where its data are.
They are checked here because Core ML's own reader, which is native code, trusts them. (The layout
was read off packages that coremltools 9.0 wrote; `coremltools` has it as MILBlob's storage format.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sam2lite.contracts.manifest_fields import MAX_BUNDLE_BYTES
from sam2lite.errors import BundleError
from sam2lite.files.names import inside
from sam2lite.files.reading import read_bytes
from sam2lite.mil.coremltools_import import import_coremltools
from sam2lite.runtimes.backends.coreml.package_check import MANIFEST_FILE, check_package

_MOST_SPECIFICATION = 2 << 30  # what protobuf reads
_BLOB_HEADER = struct.Struct("<IIQQ")  # mark, type, bytes, offset of the data
_BLOB_MARK = 0xDEADBEEF
_WEIGHTS = "@model_path/weights/"  # before the name of a file, in a constant's place
_MAX_MODEL_BYTES = 256 << 20
_MODEL = Path("Data") / "com.apple.CoreML" / "model.mlmodel"


class Blob(NamedTuple):
    """A constant in the weights file: where its header is, and how large its data are."""

    offset: int
    bytes: int


def read_specification(path: Path) -> Any:
    """Return the specification (the protobuf `Model`) of a saved package.

    Raises:
        BundleError: the path is no package, it is damaged, or its model is no ML program.
        DependencyError: coremltools is not installed.
        SessionError: it is another version than the one that is relied on.
    """
    proto = import_coremltools().proto.Model_pb2
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    if not (path / MANIFEST_FILE).is_file():
        raise BundleError(
            f"{path} is not a Core ML package: it has no {MANIFEST_FILE}; packages are folders "
            "that end in .mlpackage"
        )
    content = read_bytes(
        check_package(str(path)), _MAX_MODEL_BYTES, BundleError, "export the package again"
    )
    try:
        specification = proto.Model.FromString(content)
    except (ValueError, DecodeError) as error:
        raise BundleError(f"{path} is damaged: {error}; export it again") from error
    kind = specification.WhichOneof("Type")
    if kind != "mlProgram":
        raise BundleError(
            f"{path} holds a model of the kind {kind}; only ML programs (mlProgram) can be "
            "simulated"
        )
    return specification


def write_specification(specification: Any, path: Path) -> None:
    """Replace the specification of a package that coremltools saved."""
    (path / _MODEL).write_bytes(specification.SerializeToString(deterministic=True))


def weights_folder(path: Path) -> Path:
    """Return the folder of a package's weights file."""
    return path / "Data" / "com.apple.CoreML" / "weights"


def operations(function: Any) -> list[Any]:
    """Return the operators of a function as the specification has them, constants included."""
    return list(function.block_specializations[function.opset].operations)


def _values(operation: Any) -> Iterator[Any]:
    yield from operation.attributes.values()
    for argument in operation.inputs.values():
        for binding in argument.arguments:
            if binding.WhichOneof("binding") == "value":
                yield binding.value


def blobs(function: Any, path: Path) -> list[Blob]:
    """Return the blobs that a function refers to, each once, checked to be inside their file.

    Raises:
        BundleError: the weights file is missing, too short, or has no blob where there should be
            one.
    """
    found: dict[int, Blob] = {}
    contents: dict[Path, bytes] = {}
    for operation in operations(function):
        for value in _values(operation):
            if value.WhichOneof("value") != "blobFileValue":
                continue
            place = value.blobFileValue
            file = _weights_file(path, place.fileName)
            if file not in contents:
                contents[file] = read_bytes(
                    str(file), MAX_BUNDLE_BYTES, BundleError, "export the package again"
                )
            found[place.offset] = _checked(contents[file], place.offset, file)
    return list(found.values())


def _weights_file(path: Path, said: str) -> Path:
    """Return the weights file that a constant names, which lies in the package."""
    name = said[len(_WEIGHTS) :]
    if not said.startswith(_WEIGHTS) or "/" in name:
        raise BundleError(f"{path} has weights in {ascii(said)[:80]}; it was not made by sam2lite")
    return Path(inside(str(weights_folder(path)), name, BundleError))


def _checked(content: bytes, offset: int, file: Path) -> Blob:
    if offset + _BLOB_HEADER.size <= len(content):
        mark, _, size, start = _BLOB_HEADER.unpack_from(content, offset)
        if mark == _BLOB_MARK and start + size <= len(content):
            return Blob(offset, size)
    raise BundleError(
        f"{file} is damaged: there is no whole constant at byte {offset} of {len(content)}; export "
        "the package again"
    )
