"""Four bits a weight: what each way of rounding loses, and what bundles gain.

    .venv/bin/python benchmarks/four_bits.py [--model tiny] [--calib FILE] [--quick] [--json FILE]

First every linear layer by itself, on what the running loop feeds it: the error of its output as a
share of the output's power, medians over layers. Layers are calibrated on the first half of the
calls of every graph, and measured on those and on the other half. Then, unless --quick, bundles in
FP32, INT8, w4 and w4a8: their size, what they lose over generated clips, and the time of a frame,
interleaved.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from figures import table

from sam2lite.bench.machine_facts import describe_machine, load_average
from sam2lite.calibration.calibrate import CalibrationSettings, recorded
from sam2lite.calibration.four_bits.collecting import layer_inputs
from sam2lite.calibration.four_bits.gptq import output_power
from sam2lite.calibration.four_bits.grid import Floats, Grid, SpanSearch
from sam2lite.calibration.four_bits.inputs import (
    LayerInputs,
    in_eight_bits,
    in_eight_bits_together,
)
from sam2lite.calibration.four_bits.layer import (
    FourBitLayer,
    FourBitSettings,
    four_bit_layer,
    rounded_weight,
)
from sam2lite.calibration.four_bits.low_rank import LowRankSettings
from sam2lite.calibration.four_bits.smoothing import SmoothSettings, smoothed
from sam2lite.cli.app import run_app
from sam2lite.data.clips import ClipConfig, first_click, generate_clip
from sam2lite.exporter.export import export
from sam2lite.exporter.quantization.linear_inputs import linear_layers
from sam2lite.exporter.quantization.smoothing import Roundings
from sam2lite.exporter.recipe import Recipe
from sam2lite.models.registry import load_model
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.runtimes.cache import cache_dir
from sam2lite.runtimes.segmenter import VideoSegmenter

PRECISIONS = ("fp32", "int8", "w4", "w4a8")
_FRAMES, _WARM_UP = 48, 8


def methods(quick: bool) -> dict[str, FourBitSettings]:
    """Return the ways of putting a layer into four bits, by what they are called."""
    plain = FourBitSettings(search=SpanSearch(tried=1), gptq=None, correct_bias=False)
    searched = FourBitSettings(gptq=None, correct_bias=False)
    uncorrected = FourBitSettings(correct_bias=False)
    groups = () if quick else (64, 128)
    return {
        "rounded": plain,
        "span searched": searched,
        "GPTQ": uncorrected,
        "GPTQ, bias": FourBitSettings(),
        **{f"GPTQ, bias, group {group}": FourBitSettings(Grid(group)) for group in groups},
        "GPTQ, bias, symmetric": FourBitSettings(Grid(symmetric=True)),
        **{
            f"rounded, rank {rank}": replace(searched, low_rank=LowRankSettings(rank))
            for rank in (16, 32, 64)
        },
        **{
            f"GPTQ, bias, rank {rank}": FourBitSettings(low_rank=LowRankSettings(rank, rounds=1))
            for rank in ((32,) if quick else (16, 32, 64))
        },
    }


class Halves(NamedTuple):
    """Layers, and what they were fed in either half of the calls, by path."""

    weights: dict[str, Floats]
    known: dict[str, LayerInputs]
    other: dict[str, LayerInputs]


def halves(model: str, size: int | None, frames: int, calib: str | None) -> Halves:
    """Record a network at work, and return what its layers were fed in both halves."""
    loaded = load_model(model)
    cache = Path(cache_dir())
    sizes = [size or loaded.sizes[-1]]
    settings = CalibrationSettings(source=calib, frames=frames)
    recording, _ = recorded(loaded, sizes, settings, cache / "recordings")
    layers = linear_layers(loaded)
    known, other = (
        layer_inputs(loaded, recording, layers, cache / "inputs", part=part)
        for part in ((0.0, 0.5), (0.5, 1.0))
    )
    seen = [
        path
        for path in layers
        if all(path in half and not half[path].are_nothing for half in (known, other))
    ]
    return Halves({path: layers[path] for path in seen}, known, other)


def layer_rows(given: Halves, quick: bool) -> list[dict[str, Any]]:
    """Return for every method the medians over layers of its error, and of rounding's share.

    Of methods with a branch, layers count that are large enough for one.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for name, how in methods(quick).items():
        found[name] = {}
        for path, weight in given.weights.items():
            made = four_bit_layer(weight, given.known[path], how)
            if how.low_rank is None or made.branch is not None:
                found[name][path] = [lost(weight, made, half[path]) for half in given[1:]]
    rows = []
    for name, own in found.items():
        errors = list(own.values())
        shares = [
            [a / max(b, 1e-30) for a, b in zip(own[path], found["rounded"][path], strict=True)]
            for path in own
        ]
        rows.append(
            {
                "method": name,
                "layers": len(errors),
                "seen": statistics.median(error[0] for error in errors),
                "held_out": statistics.median(error[1] for error in errors),
                "seen_of_rounded": statistics.median(share[0] for share in shares),
                "held_out_of_rounded": statistics.median(share[1] for share in shares),
                "worst_held_out_of_rounded": max(share[1] for share in shares),
            }
        )
    return rows


def smoothing_rows(given: Halves) -> list[dict[str, Any]]:
    """Return what rounded inputs and weights lose together on the other half, by how both go.

    SmoothQuant's scales come from the largest inputs and weights; those in AWQ's manner from the
    mean magnitude of inputs alone. Both take the best of eleven exponents for each layer. Scales
    are tried for every layer, whether something takes them over or not.
    """
    w4 = FourBitSettings()
    kinds: dict[str, tuple[Roundings, bool]] = {
        "w4a8": (
            Roundings(partial(rounded_weight, settings=w4), partial(in_eight_bits, block=32)),
            True,
        ),
        "w8a8": (Roundings(partial(in_eight_bits, block=None), in_eight_bits_together), False),
    }
    rows = []
    for kind, (roundings, is_spread) in kinds.items():
        errors: dict[str, list[float]] = {}
        for path, weight in given.weights.items():
            known, other = given.known[path], given.other[path].sample_ni
            mean = np.abs(known.sample_ni).mean(axis=0)
            smooth = smoothed(weight, known, SmoothSettings(), *roundings)
            ones = np.ones_like(mean)
            scales = {
                "as they are": ones,
                "SmoothQuant": ones if smooth is None else smooth.scale_i,
                "in AWQ's manner": awq_scale(weight, known.sample_ni, mean, roundings),
            }
            expected = other @ weight.T
            for name, scale in scales.items():
                made: dict[str, tuple[Floats, Floats | None]] = {
                    name: (roundings.weight(weight * scale), None)
                }
                if is_spread:
                    layer = four_bit_layer(weight * scale, known.divided(scale), w4)
                    made[f"{name}, GPTQ"] = layer.weight(), layer.bias_o
                for each, (values, bias) in made.items():
                    off = roundings.rows(other / scale) @ values.T - expected
                    off = off if bias is None else off + bias
                    share = float(np.square(off).sum() / max(np.square(expected).sum(), 1e-30))
                    errors.setdefault(each, []).append(share)
        plain = errors["as they are"]
        for name, found in errors.items():
            shares = [a / max(b, 1e-30) for a, b in zip(found, plain, strict=True)]
            rows.append(
                {
                    "precision": kind,
                    "inputs": name,
                    "held_out": statistics.median(found),
                    "of_plain": statistics.median(shares),
                    "worst": max(shares),
                }
            )
    return rows


def awq_scale(weight_oi: Floats, rows_ni: Floats, mean_i: Floats, how: Roundings) -> Floats:
    """Return the power of the mean magnitudes of inputs with which rounding loses least."""
    floored = np.maximum(mean_i, 1e-5 * max(float(mean_i.max()), 1e-30))
    expected = rows_ni @ weight_oi.T
    best, least = np.ones_like(mean_i), np.inf
    for exponent in SmoothSettings().alphas:
        powers = floored**exponent
        scale = np.asarray(powers / np.exp(np.log(powers).mean()), np.float32)
        off = how.rows(rows_ni / scale) @ how.weight(weight_oi * scale).T - expected
        if float(np.square(off).sum()) < least:
            best, least = scale, float(np.square(off).sum())
    return best


def lost(weight_oi: Floats, made: FourBitLayer, inputs: LayerInputs) -> float:
    """Return the error of a layer's output on other inputs, as a share of the output's power."""
    off = made.weight() - weight_oi
    error = output_power(off, inputs.hessian_ii)
    if made.bias_o is not None:
        error += 2.0 * float(made.bias_o @ (off @ inputs.mean_i)) + float(made.bias_o @ made.bias_o)
    return error / output_power(weight_oi, inputs.hessian_ii)


def bundle_rows(model: str, size: int | None, folder: Path) -> list[dict[str, Any]]:
    """Return size, accuracy and time of a bundle in every precision; frames are taken in turn."""
    sizes = [size or load_model(model).sizes[-1]]
    bundles = {}
    for precision in PRECISIONS:
        recipe = Recipe(model=model, precision=precision, sizes=sizes, output=folder / precision)
        bundles[precision] = export(recipe)
    clip = generate_clip(5, ClipConfig(height=540, width=960, frames=_FRAMES))
    frames = [frame[..., ::-1].copy() for frame in clip.frames_rgb_thwc]
    click = first_click(clip, clip.object_ids[0])
    segmenters = {
        name: VideoSegmenter(open_bundle(bundle.path)) for name, bundle in bundles.items()
    }
    times: dict[str, list[float]] = {name: [] for name in segmenters}
    for index, frame in enumerate(frames):
        for name, segmenter in segmenters.items():
            if not index:
                segmenter.prompt(frame, points=[click], frame_index=0)
            began = time.perf_counter()
            segmenter.track(frame, frame_index=index)
            times[name].append(1e3 * (time.perf_counter() - began))
    rows = []
    for name, bundle in bundles.items():
        segmenters[name].close()
        drop = bundle.manifest.verification.get("accuracy")
        rows.append(
            {
                "precision": name,
                "mb": round(bundle.manifest.megabytes, 2),
                "ms": round(statistics.median(times[name][_WARM_UP:]), 2),
                "points_lost": None if drop is None else drop["drop"],
            }
        )
    return rows


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--size", type=int)
    parser.add_argument("--frames", type=int, default=32, help="to calibrate on")
    parser.add_argument("--calib", help="footage; generated clips if not given")
    parser.add_argument("--quick", action="store_true", help="layers alone")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    before = load_average()
    given = halves(arguments.model, arguments.size, arguments.frames, arguments.calib)
    report: dict[str, Any] = {
        "model": arguments.model,
        "layers": layer_rows(given, arguments.quick),
        "smoothing": smoothing_rows(given),
    }
    lines = [
        table(
            ["method", "layers", "seen", "held out", "of rounded", "held out", "worst layer"],
            [
                [
                    row["method"],
                    row["layers"],
                    *(f"{row[name]:.2e}" for name in ("seen", "held_out")),
                    *(
                        f"{row[name]:.2f}x"
                        for name in (
                            "seen_of_rounded",
                            "held_out_of_rounded",
                            "worst_held_out_of_rounded",
                        )
                    ),
                ]
                for row in report["layers"]
            ],
        )
    ]
    lines.append(
        table(
            ["precision", "inputs", "held out", "of plain", "worst layer"],
            [
                [
                    row["precision"],
                    row["inputs"],
                    f"{row['held_out']:.2e}",
                    f"{row['of_plain']:.2f}x",
                    f"{row['worst']:.2f}x",
                ]
                for row in report["smoothing"]
            ],
        )
    )
    if not arguments.quick:
        with tempfile.TemporaryDirectory() as folder:
            report["bundles"] = bundle_rows(arguments.model, arguments.size, Path(folder))
        plain = report["bundles"][0]
        lines.append(
            table(
                ["precision", "MB", "of FP32", "ms a frame", "of FP32", "points lost"],
                [
                    [
                        row["precision"],
                        row["mb"],
                        f"{row['mb'] / plain['mb']:.2f}x",
                        row["ms"],
                        f"{row['ms'] / plain['ms']:.2f}x",
                        "" if row["points_lost"] is None else row["points_lost"],
                    ]
                    for row in report["bundles"]
                ],
            )
        )
    report["machine"] = {**describe_machine(), "load_average": [before, load_average()]}
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write("\n\n".join(lines) + "\n")


if __name__ == "__main__":
    run_app(main)
