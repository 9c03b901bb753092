"""Reading and writing ONNX files of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sam2lite.errors import ExportError, OutputError
from sam2lite.exporter.onnx.walk import graphs_of
from sam2lite.files.atomic import check_file, replacing

if TYPE_CHECKING:
    import onnx

# What protobuf can write in one piece; onnxsim and ONNX's shape inference want it in one piece.
LARGEST_BYTES = 2**31 - 1


def read_onnx(path: Path) -> onnx.ModelProto:
    """Return a model with its weights inside, wherever they were.

    Args:
        path: of the file; weights in other files must lie where the model says, in its folder.

    Raises:
        ExportError: it is not an ONNX model, is damaged, its weights are missing, or it is larger
            than 2 GB with them.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load(path, format="protobuf", load_external_data=False)
    except DecodeError as error:
        raise ExportError(f"'{path}' is not an ONNX model, or is damaged ({error})") from error
    if not model.graph.node or not model.opset_import:
        raise ExportError(f"'{path}' is not an ONNX model: it has no nodes or no opset")
    files = _weight_files(model)
    for file in sorted(files):
        if not (path.parent / file).is_file():
            raise ExportError(
                f"'{path}' keeps weights in '{file}', which is not beside it; "
                "copy that file into the same folder"
            )
    size = path.stat().st_size + sum((path.parent / file).stat().st_size for file in files)
    if size > LARGEST_BYTES:
        raise ExportError(
            f"'{path}' has {size / 1e9:.1f} GB with its weights, and an ONNX model can be "
            "rewritten up to 2 GB; split it, or export it in FP16"
        )
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except (onnx.checker.ValidationError, ValueError, OSError) as error:
        raise ExportError(
            f"the weights of '{path}' cannot be read: {str(error).strip().splitlines()[0]}; "
            "copy the model and its weights again"
        ) from error
    return model


def check_onnx_output(path: Path, force: bool) -> None:
    """Raise OutputError if a file is there already that may not be replaced, or a folder is."""
    check_file(str(path), force)


def write_onnx(model: onnx.ModelProto, path: Path, force: bool = True) -> None:
    """Write a model, weights inside, as a file that appears whole or not at all.

    Without `force` a file that has appeared since `check_onnx_output` is kept.

    Raises:
        OutputError: it cannot be written.
    """
    import onnx

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(str(path), force) as partial:
            onnx.save(model, partial, format="protobuf")
    except OSError as error:
        raise OutputError(
            f"cannot write '{path}': {error.strerror or error}; "
            "choose a folder that you may write to, and that has room"
        ) from error


def _weight_files(model: onnx.ModelProto) -> set[str]:
    tensors = [
        tensor
        for graph in graphs_of(model.graph)
        for tensor in (*graph.initializer, *(a.t for node in graph.node for a in node.attribute))
    ]
    return {
        entry.value
        for tensor in tensors
        for entry in tensor.external_data
        if entry.key == "location"
    }
