"""`sam2lite-export onnx`: the graphs alone, for other tools."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sam2lite.cli.export import options, request
from sam2lite.cli.export.command import FIRST, FOOTAGE, LAST, SIZES, export_command
from sam2lite.cli.reports.exported import fp16_lines, print_result
from sam2lite.cli.reports.preflight import describe, rewritten_lines, tensorrt_target
from sam2lite.contracts.manifest import Manifest

if TYPE_CHECKING:
    from sam2lite.exporter.tensorrt.preflight import Finding


@export_command(
    **FIRST,
    opset=Annotated[
        int | None,
        typer.Option(
            help="ONNX operator set, 13 to 20.", show_default="17, or that of --check-for"
        ),
    ],
    **SIZES,
    precision=Annotated[
        str | None, typer.Option(metavar="NAME", help="fp32 or fp16.", show_default="fp32")
    ],
    fp16=Annotated[
        bool,
        typer.Option("--fp16", help="Weights and arithmetic in FP16, but for what must not."),
    ],
    **FOOTAGE,
    skip_pass=options.SkipPass,
    check_for=Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="A target with TensorRT; rewrite the graphs for its ONNX parser, and say what it "
            "would still not take.",
        ),
    ],
    **LAST,
)
def onnx(asked: request.Asked) -> None:
    """Export plain ONNX graphs, each compared with PyTorch.

    Shapes are static. Writes graphs/*.onnx, their shared weights in one file, and manifest.json
    with the tensors of every graph. `sam2lite export ort` makes a bundle that can be run.

    With --fp16, the float loop tracks first, and what overflows FP16 there stays in FP32, beside
    softmax, layer norm, selection and coordinates. Exit code 3 if an output loses too much.

    With --check-for, graphs are rewritten as for a bundle of that target, and exit code 3 says that
    its parser would still not take one; they are written all the same. --skip-pass leaves a rewrite
    out. The answer comes from tables: no TensorRT is asked.
    """
    from sam2lite.exporter.onnx.backend import GraphsRefusedError

    try:
        bundle = request.run(asked)
    except GraphsRefusedError as refused:
        _print(asked, refused.manifest, refused.findings)
        raise
    if bundle is not None:
        _print(asked, bundle.manifest, {key: [] for key in bundle.manifest.graphs})


def _print(asked: request.Asked, manifest: Manifest, findings: "dict[str, list[Finding]]") -> None:
    """Print what stays in FP32, and what the parser of `--check-for` would not take."""
    if manifest.precision == "fp16":
        for line in fp16_lines(manifest):
            typer.echo(line, err=True)
    more: dict[str, Any] = {}
    lines: list[str] = []
    if asked.recipe.check_for is not None:
        target = tensorrt_target(asked.recipe.check_for)
        lines = [*rewritten_lines(manifest, target), *describe(findings, target)]
        listed = {key: [entry.to_json() for entry in found] for key, found in findings.items()}
        more["findings"] = listed
    print_result(
        Path(str(asked.recipe.output)), manifest, asked.started, asked.as_json, more, lines=lines
    )
