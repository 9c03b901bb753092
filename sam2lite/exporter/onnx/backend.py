"""Graphs alone, for tools other than ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sam2lite.contracts.backends import backend_names, get_backend
from sam2lite.contracts.manifest import Manifest
from sam2lite.errors import RecipeError, VerificationError
from sam2lite.exporter.backends import ExportRequest, exporter_of
from sam2lite.exporter.bundle.graph_exporter import GraphExporter, with_opset
from sam2lite.exporter.onnx.passes.graph_pass import GraphPass
from sam2lite.exporter.precision.fp16 import Fp16
from sam2lite.exporter.precision.scheme import Float32
from sam2lite.exporter.precision.schemes import CALLS, Scheme
from sam2lite.exporter.recipe import Recipe
from sam2lite.targets.profile import Fact, Precision, QdqStyle, TargetProfile, data_sheet
from sam2lite.targets.registry import get_target

OPSET = 17
_ANY = Fact("any", "graphs alone are for no device in particular")
PLAIN = data_sheet(
    name="onnx",
    title="plain ONNX graphs",
    backend="onnx",
    precisions=(
        Precision("fp32", True, True, "as they were traced", "by definition"),
        Precision("fp16", True, True, "weights and arithmetic, but for what must not", "by rule"),
    ),
    chip=_ANY,
    architecture=_ANY,
    memory_mb=Fact((), _ANY.source),
    bandwidth_gb_s=Fact(None, _ANY.source),
    os=_ANY,
    runtime=_ANY,
    python=_ANY,
    opset=Fact(OPSET, "the first with LayerNormalization"),
    qdq=Fact(QdqStyle("uint8", None, "int8", 8, per_channel=True), "no graphs in INT8 are made"),
    threads=Fact(None, _ANY.source),
    arena=Fact(False, _ANY.source),
    power_sensor=Fact(None, _ANY.source),
)


class GraphsRefusedError(VerificationError):
    """The parser of the target in `check_for` would not take the graphs, which are written.

    Attributes:
        manifest: of the folder.
        findings: of every graph, by its key.
    """

    def __init__(
        self, message: str, manifest: Manifest, findings: Mapping[str, Sequence[Any]]
    ) -> None:
        super().__init__(message)
        self.manifest = manifest
        self.findings = {key: list(found) for key, found in findings.items()}


class OnnxExporter(GraphExporter):
    """Makes folders that no frame loop is run on."""

    name = "onnx"
    schemes = (
        Scheme("fp32", lambda making: Float32(), exact=True),
        Scheme("fp16", lambda making: Fp16(*making.footage), CALLS),
    )
    fields = GraphExporter.fields | {"opset", "check_for"}

    def target(self, recipe: Recipe) -> TargetProfile:
        """See `BackendExporter`; parser and opset are those of `check_for`, unless one is given."""
        if recipe.target is not None:
            raise RecipeError(
                f"`target` is {recipe.target!r}, and graphs alone are for no device; leave it out, "
                "or give `check_for` to hear what a parser would not take",
                "target",
            )
        opset, plain = recipe.opset, PLAIN
        if recipe.check_for is not None:
            checked = _checked(recipe.check_for)
            opset, plain = opset or checked.opset, PLAIN._replace(tensorrt=checked.tensorrt)
        return plain if opset is None else with_opset(plain, opset)

    def passes_for(self, target: TargetProfile) -> tuple[GraphPass, ...]:
        """See `BackendExporter`: what the parser of `check_for` needs, so that it may say yes."""
        if target.tensorrt is None:
            return ()
        exporters = map(exporter_of, backend_names())
        return next(asked.passes_for(target) for asked in exporters if asked.knows_parser)

    def after(self, request: ExportRequest, manifest: Manifest) -> None:
        """Ask the parser of the target in `check_for`.

        Raises:
            GraphsRefusedError: it would not take a graph.
        """
        name = request.recipe.check_for
        if name is None:
            return
        target = _checked(name)
        findings = exporter_of(target.backend).refused(request.output, manifest, target)
        refused = sum(bool(found) for found in findings.values())
        if refused:
            raise GraphsRefusedError(
                f"{target.runtime} of {target.id} would not take {refused} of {len(findings)} "
                "graphs, even rewritten for it; change what the findings name. The graphs are in "
                f"{request.output}",
                manifest,
                findings,
            )


def _checked(name: str) -> TargetProfile:
    target = get_target(name, lambda known: exporter_of(known.backend).knows_parser)
    if not exporter_of(target.backend).knows_parser:
        raise RecipeError(
            f"`check_for` is '{name}', which runs {get_backend(target.backend).title}, and nothing "
            "is known here of what its parser refuses; name a target with TensorRT (`sam2lite "
            "targets` lists them)",
            "check_for",
        )
    return target


EXPORTER = OnnxExporter()
