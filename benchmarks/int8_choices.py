"""What each choice made for INT8 is worth: observers, ranges, corrections, linear layers, targets.

Every row is the shipped network with one choice changed, at one rung. Its graphs are compared with
the FP32 ones on recorded calls, and its bundle follows fresh clips from one click. Targets other
than this machine's are run here too, for their accuracy alone. Needs a CPU with VNNI: without it,
sums of two products with 8-bit weights saturate.

    .venv/bin/python benchmarks/int8_choices.py [--clips N] [--keep]

Writes benchmarks/results/int8_choices.json and fills the table of ADR 0008; --keep only fills.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from figures import RESULTS, ROOT, fill, table
from torch import Tensor, nn

from sam2lite.bench.machine_facts import describe_machine, load_average
from sam2lite.calibration.assignment import PrecisionAssignment, first_assignment
from sam2lite.calibration.calibrate import Calibration, CalibrationSettings, calibrate
from sam2lite.calibration.observe import observe
from sam2lite.calibration.observers import OBSERVERS, Range
from sam2lite.calibration.qdq import layers_of, render
from sam2lite.calibration.ranges import ActivationRanges
from sam2lite.calibration.recorder import Recording
from sam2lite.cli.app import run_app
from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.evaluation import BundleTracker, evaluate
from sam2lite.evaluation.clip import EvaluationClip
from sam2lite.evaluation.scores import Scores
from sam2lite.evaluation.sources import fresh_clips
from sam2lite.exporter.bundle.writer import write_trial_bundle
from sam2lite.exporter.footage import recordings
from sam2lite.exporter.onnx.compact import compact
from sam2lite.exporter.onnx.trace import feeds_of
from sam2lite.exporter.precision.accuracy import CLIP_SEED, PROMPT
from sam2lite.exporter.precision.fp16_storage import store_in_fp16
from sam2lite.exporter.precision.int8 import Int8
from sam2lite.exporter.precision.scheme import Float32, PrecisionScheme, Rendered
from sam2lite.exporter.verify.parity import compare
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.registry import load_model
from sam2lite.models.sam2lite.blocks import ConvBlock, ConvBn
from sam2lite.models.sam2lite.network import Sam2Lite
from sam2lite.models.sam2lite.quantizable import quantized_layers
from sam2lite.runtimes.backends.ort.session import CPU, session_options
from sam2lite.targets.profile import QdqStyle
from sam2lite.targets.registry import get_target
from sam2lite.training.quantization import quantized_activation, quantized_weight

NAME = "int8_choices"
ADR = ROOT / "docs" / "adr" / "0008-int8.md"
MODEL, RUNG = "tiny", 480
TARGET = "x86-64-vnni"
OTHER_TARGETS = {
    "x86-64": "weights of 7 bits",
    "raspberry-pi-5": "activations S8, zero point 0",
}
CALLS = 16  # of each graph, spread over those recorded at the rung
CALLS_OF_RUNG = 4  # the same where all rungs are used
GRAPHS = FAMILY.per_size
FLOAT, STATIC, DYNAMIC = "FP32", "observer mse, the default", "linear layers dynamic"
ROUNDS, WARM_UP = 200, 10

# Equalization: how much of a channel's spread the weights take from the activations; half is what
# Nagel et al. 2019 derive. A channel that ReLU keeps at zero would ask for any factor at all.
ALPHA = 0.5
LEAST_ACTIVATION, LEAST_WEIGHT = 1e-3, 1e-5
FACTORS = (0.1, 10.0)

Arrays = dict[str, np.ndarray]
Hook = Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]


@dataclasses.dataclass(frozen=True)
class Choice:
    """A row: what a bundle is made from."""

    name: str
    loaded: LoadedModel
    scheme: PrecisionScheme
    target: str = TARGET


class DynamicLinear:
    """A scheme whose convolutions are static, and whose linear layers find ranges as they run."""

    calibration = None

    def __init__(
        self, ranges: ActivationRanges, plan: PrecisionAssignment, linear: set[str]
    ) -> None:
        self._ranges, self._plan, self._linear = ranges, plan, linear

    def render(self, model: onnx.ModelProto, spec: GraphSpec, rung: int) -> Rendered:
        """See `PrecisionScheme`."""
        prefix = f"{spec.name}."
        own = [p.removeprefix(prefix) for p in self._plan.lowered if p.startswith(prefix)]
        layers = layers_of(model, own)
        if not layers:
            return Rendered(model, "fp32")
        dynamic = {node for node, path in layers.items() if prefix + path in self._linear}
        static = {node: path for node, path in layers.items() if node not in dynamic}
        spans = {key.removeprefix(prefix): span for key, span in self._ranges.spans.items()}
        rendered = render(model, static, spans, get_target(TARGET).qdq)
        from onnxruntime.quantization import QuantType, quantize_dynamic

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "graph.onnx"
            quantize_dynamic(
                rendered,
                path,
                op_types_to_quantize=["MatMul"],
                per_channel=True,
                weight_type=QuantType.QInt8,
                # It splits a Gemm, and gives the product another name.
                nodes_to_quantize=sorted(dynamic | {f"{name}_MatMul" for name in dynamic}),
            )
            rendered = onnx.load(path)
        store_in_fp16(rendered)
        compact(rendered)
        return Rendered(rendered, "int8")


def choices(loaded: LoadedModel, default: Calibration) -> Iterator[Choice]:
    """Yield all rows, FP32 first; what they need is computed when they are asked for."""
    yield Choice(FLOAT, loaded, Float32())
    ranges, recording = default.ranges, default.recording
    yield Choice(STATIC, loaded, int8(loaded, ranges))
    for observer in OBSERVERS:
        if observer != "mse":
            found = calibrated(loaded, observer).ranges
            yield Choice(f"observer {observer}", loaded, int8(loaded, found))
    if loaded.activation_ranges:
        learned = {f"{path}:input": span for path, span in loaded.activation_ranges.items()}
        found = with_spans(ranges, {**ranges.spans, **learned})
        yield Choice("ranges of training", loaded, int8(loaded, found))
    changed = dataclasses.replace(loaded, model=equalized(loaded.model, recording))
    found = with_spans(ranges, observe(changed, recording, "mse"))
    yield Choice("cross-layer equalization", changed, int8(changed, found))
    changed = dataclasses.replace(loaded, model=bias_corrected(loaded, ranges, recording))
    yield Choice("bias correction", changed, int8(changed, ranges))
    layers = quantized_layers(loaded.model)
    linear = {path for path, layer in layers.items() if isinstance(layer, nn.Linear)}
    yield Choice(DYNAMIC, loaded, DynamicLinear(ranges, plan_of(loaded, ranges), linear))
    for target, what in OTHER_TARGETS.items():
        yield Choice(what, loaded, int8(loaded, ranges, get_target(target).qdq), target)


def calibrated(loaded: LoadedModel, observer: str) -> Calibration:
    """Calibrate as an export of all rungs does."""
    return calibrate(
        loaded, loaded.config.rungs, CalibrationSettings(observer=observer), recordings()
    )


def with_spans(ranges: ActivationRanges, spans: dict[str, Range]) -> ActivationRanges:
    """Return other ranges of the same provenance."""
    return dataclasses.replace(ranges, spans=spans)


def plan_of(loaded: LoadedModel, ranges: ActivationRanges) -> PrecisionAssignment:
    """Return the plan that leaves no layer in float which has a range."""
    return first_assignment(list(quantized_layers(loaded.model)), ranges.spans, ())


def int8(loaded: LoadedModel, ranges: ActivationRanges, style: QdqStyle | None = None) -> Int8:
    """Return a scheme of every layer."""
    return Int8(ranges, plan_of(loaded, ranges), style or get_target(TARGET).qdq)


def equalized(model: Sam2Lite, recording: Recording) -> Sam2Lite:
    """Even out the channels between the two pointwise convolutions of every block.

    ReLU lets a positive factor through, so what a channel is divided by before it can be multiplied
    into the weights after it (Nagel et al. 2019, sec. 4.1). Weights have a scale per output
    channel: those before take any factor for nothing, so what is balanced is the activation
    against the weights after it.
    """
    fused = model.fused()
    largest: dict[str, Tensor] = {}

    def see(path: str, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen_c = inputs[0].amax(dim=(0, 2, 3))
        largest[path] = torch.maximum(largest.get(path, seen_c), seen_c)

    blocks = {path: m for path, m in fused.named_modules() if isinstance(m, ConvBlock)}
    hooks = {path: (block.project, partial(see, path)) for path, block in blocks.items()}
    run_recorded(fused, recording, (RUNG,), CALLS, hooks)
    changed = copy.deepcopy(model)
    with torch.no_grad():
        for path, seen_c in largest.items():
            block = changed.get_submodule(path)
            assert isinstance(block, ConvBlock)
            weight_c = block.project.folded()[0].abs().amax(dim=(0, 2, 3)).clamp(min=LEAST_WEIGHT)
            factor_c = seen_c.clamp(min=LEAST_ACTIVATION) ** ALPHA / weight_c ** (1.0 - ALPHA)
            factor_c = (factor_c / factor_c.log().mean().exp()).clamp(*FACTORS)
            block.expand.bn.weight /= factor_c  # type: ignore[misc]
            block.expand.bn.bias /= factor_c  # type: ignore[misc]
            block.project.conv.weight *= factor_c[None, :, None, None]
    return changed


def bias_corrected(loaded: LoadedModel, ranges: ActivationRanges, recording: Recording) -> Sam2Lite:
    """Take the mean error that INT8 makes in every channel of a layer from the layer's bias.

    Nagel et al. 2019, sec. 4.2, with the error measured rather than derived. Each layer is on its
    own: it is fed what it gets in float.
    """
    fused = loaded.model.fused()
    errors: dict[str, list[Tensor]] = {}

    def see(
        path: str, twin: nn.Module, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor
    ) -> None:
        if output.numel():  # an empty memory bank says nothing
            error = twin(quantized_activation(inputs[0], *span_of[path])) - output
            channels = 1 if isinstance(layer, nn.Conv2d) else error.ndim - 1
            others = [axis for axis in range(error.ndim) if axis != channels]
            errors.setdefault(path, []).append(error.mean(dim=others))

    layers = quantized_layers(fused)
    paths = plan_of(loaded, ranges).lowered
    span_of = {path: torch.tensor(ranges.spans[f"{path}:input"]) for path in paths}
    hooks = {path: (layers[path], partial(see, path, in_int8(layers[path]))) for path in paths}
    run_recorded(fused, recording, loaded.config.rungs, CALLS_OF_RUNG, hooks)
    changed = copy.deepcopy(loaded.model)
    with torch.no_grad():
        for path, layer in quantized_layers(changed).items():
            bias = layer.bn.bias if isinstance(layer, ConvBn) else layer.bias
            if path in errors and bias is not None:
                bias -= torch.stack(errors[path]).mean(dim=0)
    return changed  # type: ignore[no-any-return]


def in_int8(layer: nn.Module) -> nn.Module:
    """Return a copy of a layer with its weight rounded to INT8."""
    twin = copy.deepcopy(layer)
    twin.weight.copy_(quantized_weight(layer.weight))  # type: ignore[arg-type, operator]
    return twin


def run_recorded(
    model: Sam2Lite,
    recording: Recording,
    rungs: Sequence[int],
    calls: int,
    hooks: Mapping[str, tuple[nn.Module, Hook]],
) -> None:
    """Run the graphs on some of the recorded calls of every rung, watched by hooks."""
    with torch.no_grad(), ExitStack() as stack:
        for module, hook in hooks.values():
            stack.callback(module.register_forward_hook(hook).remove)
        for graph in GRAPHS:
            for rung in rungs:
                for inputs in recording.sample(graph.name, rung, calls):
                    getattr(model, graph.name)(*inputs)


class Graphs:
    """The graphs of a bundle, outside its loop, on one thread."""

    def __init__(self, bundle: Path) -> None:
        import onnxruntime as ort

        self._sessions = {
            graph.name: ort.InferenceSession(
                str(bundle / "graphs" / f"{graph.key(RUNG)}.onnx"),
                session_options(1, 1),
                providers=[CPU],
            )
            for graph in GRAPHS
        }

    def run(self, graph: str, feeds: Arrays) -> Arrays:
        """Return a graph's outputs by name."""
        session = self._sessions[graph]
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, feeds), strict=True))

    def frame_ms(self, feeds: dict[str, Arrays]) -> float:
        """Run every graph once."""
        started_s = time.perf_counter()
        for graph, session in self._sessions.items():
            session.run(None, feeds[graph])
        return 1e3 * (time.perf_counter() - started_s)


class Study:
    """Measures bundles against the FP32 one, on the same calls and the same clips.

    Attributes:
        feeds: inputs of the recorded calls, by graph.
    """

    def __init__(self, clips: int, recording: Recording) -> None:
        """Read the calls and make the clips."""
        self._clips: list[EvaluationClip] = [c.load() for c in fresh_clips(clips, CLIP_SEED)]
        self.feeds: dict[str, list[Arrays]] = {
            graph.name: [
                feeds_of(graph, tensors) for tensors in recording.sample(graph.name, RUNG, CALLS)
            ]
            for graph in GRAPHS
        }
        self._expected: dict[str, list[Arrays]] = {}
        self._scores: Scores | None = None

    def measure(self, bundle: Path) -> dict[str, Any]:
        """Return what is known about a bundle; the first one is what all others are held to."""
        graphs = Graphs(bundle)
        outputs = {
            name: [graphs.run(name, feeds) for feeds in calls] for name, calls in self.feeds.items()
        }
        scores = evaluate(lambda: BundleTracker(str(bundle), RUNG, threads=1), self._clips, PROMPT)
        found: dict[str, Any] = {
            "jf": round(scores.jf, 2),
            "jf_stderr": round(scores.jf_stderr, 2),
            "first_frame_j": round(scores.first_frame_j, 2),
        }
        if self._scores is None:
            self._expected, self._scores = outputs, scores
            return found
        found["jf_change"] = round(scores.jf - self._scores.jf, 2)
        found["jf_change_stderr"] = round(change_stderr(scores, self._scores), 2)
        found["sqnr_db"] = {
            name: round(worst_sqnr(calls, self._expected[name]), 2)
            for name, calls in outputs.items()
        }
        return found

    def interleave(self, bundles: dict[str, Path]) -> dict[str, dict[str, Any]]:
        """Time bundles by turns, so that what else the machine does hits all alike.

        Shapes are static, so one call takes as long as another.
        """
        feeds = {name: calls[-1] for name, calls in self.feeds.items()}
        graphs = {name: Graphs(bundle) for name, bundle in bundles.items()}
        times: dict[str, list[float]] = {name: [] for name in bundles}
        for turn in range(WARM_UP + ROUNDS):
            for name, each in graphs.items():
                taken_ms = each.frame_ms(feeds)
                if turn >= WARM_UP:
                    times[name].append(taken_ms)
        found = {}
        for name, values in times.items():
            low, median, high = statistics.quantiles(values, n=4)
            found[name] = {
                "frame_ms": round(median, 2),
                "quartiles_ms": [round(low, 2), round(high, 2)],
            }
        return found


def worst_sqnr(actual: list[Arrays], expected: list[Arrays]) -> float:
    """Return the SQNR of the worst output in the worst call, dB."""
    ratios = [
        compare(got[name], wanted[name]).sqnr_db
        for got, wanted in zip(actual, expected, strict=True)
        for name in wanted
    ]
    return min(ratio for ratio in ratios if math.isfinite(ratio))


def change_stderr(after: Scores, before: Scores) -> float:
    """Return the standard error of the change in J&F, over clips; objects are paired."""
    by_clip: dict[str, list[float]] = {}
    for new, old in zip(after.object_scores, before.object_scores, strict=True):
        if len(new.frames):
            by_clip.setdefault(new.clip, []).append(100.0 * (new.jf - old.jf))
    count, objects = len(by_clip), sum(map(len, by_clip.values()))
    mean = sum(map(sum, by_clip.values())) / objects
    squares = sum(sum(x - mean for x in changes) ** 2 for changes in by_clip.values())
    return math.sqrt(count / (count - 1) * squares) / objects


def measure_all(clips: int) -> dict[str, Any]:
    """Measure every row."""
    before = load_average()
    torch.set_num_threads(1)  # two that share their cores with others wait for each other
    loaded = load_model(MODEL)
    default = calibrated(loaded, "mse")
    study = Study(clips, default.recording)
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        bundles = {}
        for number, choice in enumerate(choices(loaded, default)):
            bundle = bundles[choice.name] = Path(temporary) / str(number)
            target = get_target(choice.target)
            write_trial_bundle(choice.loaded, target, RUNG, choice.scheme, bundle)
            rows[choice.name] = {"target": choice.target, **study.measure(bundle)}
            print(choice.name, json.dumps(rows[choice.name]), file=sys.stderr, flush=True)
        timed = study.interleave({name: bundles[name] for name in (STATIC, DYNAMIC)})
    for name, times in timed.items():
        ratio = times["frame_ms"] / timed[STATIC]["frame_ms"]
        rows[name] |= {**times, "time_ratio": round(ratio, 3)}
    return {
        "machine": {**describe_machine(), "load_average": [before, load_average()]},
        "model": MODEL,
        "checkpoint_sha256": loaded.sha256,
        "rung": RUNG,
        "clips": clips,
        "prompt": PROMPT,
        "calls": {name: len(calls) for name, calls in study.feeds.items()},
        "timed": {"threads": 1, "rounds": ROUNDS, "graphs": [graph.name for graph in GRAPHS]},
        "rows": rows,
    }


def markdown(result: dict[str, Any]) -> str:
    """Return the table."""
    lines: list[list[object]] = []
    for name, row in result["rows"].items():
        change = (
            f"{row['jf_change']:+.2f} ± {row['jf_change_stderr']:.2f}" if "jf_change" in row else ""
        )
        found = row.get("sqnr_db", {})
        ratios = [f"{found[graph.name]:.1f}" if found else "" for graph in GRAPHS]
        time_cell = f"{row['time_ratio']:.2f}x" if "time_ratio" in row else ""
        scores = [f"{row['jf']:.2f}", change, f"{row['first_frame_j']:.2f}"]
        lines.append([name, row["target"], *scores, *ratios, time_cell])
    header = ["choice", "target", "J&F", "against FP32", "first-frame J"]
    header += [f"{graph.name.replace('_', ' ')}, dB" for graph in GRAPHS]
    return table([*header, "frame"], lines)


def main() -> None:
    """Measure unless told not to, then fill the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=24, help="to follow, 2 or more")
    parser.add_argument("--keep", action="store_true", help="use the recorded result")
    args = parser.parse_args()
    path = RESULTS / f"{NAME}.json"
    if not args.keep:
        path.write_text(json.dumps(measure_all(args.clips), indent=1) + "\n")
    text = markdown(json.loads(path.read_text()))
    print(text)
    if ADR.exists():
        fill(ADR, f"table: {NAME}", text)


if __name__ == "__main__":
    run_app(main)
