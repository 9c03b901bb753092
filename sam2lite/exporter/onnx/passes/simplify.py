"""Pass `simplify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.errors import ExportError
from sam2lite.exporter.onnx.passes.optimizers import new_operators, skipped_optimizers

if TYPE_CHECKING:
    import onnx


def simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold what does not depend on the inputs, and merge what is there twice, with onnxsim.

    **Given:**

        %table = Resize(position, sizes)
        %y = Add(%x, %table)
        %z = Add(%x, %table_again)

    **Result:**

        table = initializer(...)
        %y = Add(%x, table), which also stands for %z

    Only the optimizations of `optimizers.ALLOWED` run. A release of onnxsim that fuses all the same
    has its result thrown away, and then it only folds.

    Parity: exact on all 99 graphs of benchmarks/results/graph_parity.json, because onnxsim folds
    with onnxruntime.

    Raises:
        ExportError: onnxsim failed, or has put in operators that were not there.
    """
    added: list[str] = []
    for optimise in (True, False):
        simplified = _run(model, optimise)
        added = new_operators(model, simplified)
        if not added:
            # Newer versions log there what they did.
            del simplified.metadata_props[:]
            return simplified
    raise ExportError(
        f"the pass 'simplify' put in {', '.join(added)}, which the graph did not have; onnxsim "
        f"{_version()} is at fault: install another version, or leave the pass out"
    )


def _run(model: onnx.ModelProto, optimise: bool) -> onnx.ModelProto:
    import onnxsim

    simplified: onnx.ModelProto
    try:
        simplified, _ = onnxsim.simplify(
            model, perform_optimization=optimise, skipped_optimizers=skipped_optimizers()
        )
    except (RuntimeError, ValueError) as error:
        raise ExportError(
            f"onnxsim failed: {str(error).strip().splitlines()[0]}; if this process has called "
            "share_threads, onnxsim cannot use onnxruntime in it: export before that"
        ) from error
    return simplified


def _version() -> str:
    import onnxsim

    return str(onnxsim.__version__)
