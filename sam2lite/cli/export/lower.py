"""`sam2lite-export lower`: any ONNX file, rewritten for an old TensorRT."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sam2lite.cli.export import options
from sam2lite.cli.json_output import ToJson, put_json
from sam2lite.cli.reports.preflight import describe, tensorrt_target
from sam2lite.errors import DependencyError, VerificationError

if TYPE_CHECKING:
    from sam2lite.exporter.onnx.passes.runner import AppliedPass


def lower(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.onnx", exists=True, dir_okay=False, readable=True)
    ],
    target: Annotated[
        str, typer.Option(metavar="ID", help="A target with TensorRT, such as jetson-nano.")
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="OUT.onnx", help="File to write; must not exist."),
    ],
    jetpack: options.JetPack = None,
    feeds: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.npz",
            help="Inputs to compare with, an array for each by its name, where random ones do not "
            "fit: indices of a table, counts.",
            show_default="random ones",
        ),
    ] = None,
    skip_pass: options.SkipPass = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: ToJson = None,
) -> None:
    """Rewrite an ONNX file for a target's TensorRT.

    Its shapes must be static. After every pass, all outputs are compared with those of the file as
    it came, by onnxruntime on random inputs or on those of --feeds. A pass that makes something
    which the parser takes no better is left out. Weights are written into the one file, wherever
    they were.

    Exit code 3, and no file, if the parser would still not take it: the node, the operator, the
    first version that takes it, and what to change are printed. The answer comes from tables: no
    TensorRT is asked.
    """
    started = time.perf_counter()
    served = tensorrt_target(target, "--target", jetpack)
    for package in options.missing_packages():
        raise DependencyError(package, "export", "lower")
    from sam2lite.exporter.onnx.file import check_onnx_output, read_onnx, write_onnx
    from sam2lite.exporter.onnx.incoming.feeds import read_feeds
    from sam2lite.exporter.onnx.trace import opset_of
    from sam2lite.exporter.tensorrt.lower import lower as lower_model
    from sam2lite.exporter.tensorrt.lower import steps_for

    check_onnx_output(output, force)
    model = read_onnx(file)
    given = None if feeds is None else read_feeds(feeds, model)
    version = served.tensorrt.version
    with options.reported_steps("lower", steps_for(version)) as report:
        lowered = lower_model(model, version, given, skip=skip_pass or (), report=report)
    if not lowered.findings:
        write_onnx(lowered.model, output, force)
    seconds = time.perf_counter() - started
    worst = max((applied.relative for applied in lowered.passes), default=0.0)
    result = {
        "path": None if lowered.findings else str(output),
        "target": served.id,
        "tensorrt": version,
        "opset": opset_of(lowered.model),
        "seconds": round(seconds, 2),
        "worst_relative_error": worst,
        "passes": [applied.to_json() for applied in lowered.passes],
        "left_out": lowered.left_out,
        "findings": [finding.to_json() for finding in lowered.findings],
    }
    quiet = put_json(as_json, result)
    if not quiet:
        typer.echo("\n".join(map(_line, lowered.passes)) or "no pass had anything to change")
        for name, why in lowered.left_out.items():
            typer.echo(f"{name}: left out; {why}")
        typer.echo("\n".join(describe({file.stem: lowered.findings}, served)))
    if lowered.findings:
        raise VerificationError(
            f"TensorRT {version} of {served.id} would not take '{file}' even rewritten, so nothing "
            "was written; change what the findings name"
        )
    if not quiet:
        megabytes = output.stat().st_size / 1e6
        typer.echo(
            f"{output}: {seconds:.1f} s, {megabytes:.1f} MB, opset {opset_of(lowered.model)}, "
            f"worst relative error of a pass {worst:.1e}"
        )


def _line(applied: "AppliedPass") -> str:
    changes = [f"{count:+d} {operator}" for operator, count in applied.operators.items()]
    changes += [f"{name} becomes {dtype}" for name, dtype in applied.border.items()]
    return (
        f"{applied.name}: {', '.join(changes) or 'the form of nodes alone'}; "
        f"largest difference {applied.max_abs:.1e}, {applied.relative:.1e} of the largest value"
    )
