"""`sam2lite sensitivity`: what each layer and each graph loses in INT8, alone."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from sam2lite.cli.export import options
from sam2lite.cli.export import quantize_options as quantize
from sam2lite.cli.json_output import ToJson, put_json
from sam2lite.errors import OutputError
from sam2lite.files.atomic import check_file, replacing

if TYPE_CHECKING:
    from sam2lite.exporter.precision.sensitivity import Sensitivity


def sensitivity(
    model: options.Model = "tiny",
    variant: options.Variant = None,
    rung: Annotated[
        int | None, typer.Option(help="Input side, px; the largest if not given.")
    ] = None,
    clip_iou: Annotated[
        bool,
        typer.Option(
            "--clip-iou", help="Also follow a clip with each layer in INT8: minutes, not seconds."
        ),
    ] = False,
    calib: quantize.Source = None,
    calib_frames: quantize.Frames = None,
    calib_seed: quantize.Seed = 0,
    observer: quantize.Observer = quantize.DEFAULT_OBSERVER,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.png", help="Draw SQNR by layer.")
    ] = None,
    as_json: ToJson = None,
) -> None:
    """Say what each layer, and each graph, loses in INT8.

    One after the other is put into INT8, all the rest in float.
    SQNR is that of the graph's worst output on recorded calls. The IoU is that of the masks over a
    clip with those of the float loop: of graphs always, of layers with --clip-iou.
    """
    if plot is not None:
        from sam2lite.evaluation.charts import require_matplotlib

        require_matplotlib("--plot")
        check_file(str(plot), True)
    checkpoint = options.load_model(model, variant)
    side = checkpoint.sizes[-1] if rung is None else rung
    checkpoint.check_size(side)
    found = quantize.calibrated(checkpoint, (side,), calib, calib_frames, calib_seed, observer)
    from sam2lite.calibration.footage import calibration_clips
    from sam2lite.exporter.precision.sensitivity import Sensitivity, layer_sqnr
    from sam2lite.exporter.precision.sensitivity import clip_iou as measure_iou

    spans = found.ranges.spans
    layers = {p: [p] for p in checkpoint.quantizable_paths() if f"{p}:input" in spans}
    graphs = {
        spec.name: [path for path in layers if path.startswith(f"{spec.name}.")]
        for spec in checkpoint.family.graphs
    }
    graphs = {name: paths for name, paths in graphs.items() if paths}
    followed = graphs | layers if clip_iou else graphs
    (clip,) = calibration_clips(None, 8, calib_seed + 1)
    with options.reported_steps("sensitivity", len(graphs | layers) + len(followed)) as report:
        ratios = layer_sqnr(checkpoint, spans, graphs | layers, found.recording, side, report)
        ious = measure_iou(checkpoint, spans, followed, clip, side, report)
    results = [Sensitivity(name, ratios[name], ious.get(name)) for name in graphs | layers]
    if plot is not None:
        _draw(plot, [result for result in results if result.name in layers], side)
    if put_json(as_json, [asdict(result) for result in results]):
        return
    _print(results)


def _print(results: "list[Sensitivity]") -> None:
    table = Table("Graph or layer", "SQNR, dB", "clip IoU")
    for result in sorted(results, key=lambda result: ("." in result.name, result.sqnr_db)):
        iou = "" if result.clip_iou is None else f"{result.clip_iou:.4f}"
        table.add_row(result.name, f"{result.sqnr_db:.1f}", iou)
    Console(markup=False, highlight=False).print(table)


def _draw(path: Path, layers: "list[Sensitivity]", rung: int) -> None:
    from sam2lite.evaluation.bars import Bar, plot_bars

    bars = [Bar(found.name, found.sqnr_db, found.name.partition(".")[0]) for found in layers]
    title = f"One layer in INT8, the rest in float: SQNR of the worst output at {rung} px"
    try:
        with replacing(str(path)) as partial:
            plot_bars(bars, title, "dB").savefig(partial, format="png")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from None
    typer.echo(f"{path}: {len(layers)} layers", err=True)
