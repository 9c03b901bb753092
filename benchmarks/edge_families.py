"""Networks for small devices on a CPU: a frame's seconds, memory and size, in PyTorch and in ours.

Every contender and thread count is a process of its own, and those of a network run in turn
(`in_turn.py`). Memory is full: an object was followed for 17 frames. CPU seconds are those of all
threads of a process. A frame is 1280x720 in, mask of that size out. But for our Tiny, networks have
random weights: IoU says whether the same was computed, and of INT8 little. Ranges of INT8 are those
of a few generated frames.

Another network is another row of NETWORKS. Contenders that are not installed are left out, and said
so: pip install openvino transformers, and for EdgeTAM pip install --no-deps timm torchvision.

    .venv/bin/python benchmarks/edge_families.py [--quick] [--json FILE]
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from edge_families_worker import CONTENDERS, NETWORK_FILE
from figures import table
from fp32_bundles import IN_FP32, write_in_fp32
from frame_study import (
    agreement,
    conditions,
    planned,
    publish,
    recorded,
    study_parser,
    take_any_torchvision,
    write_footage,
)
from in_turn import Worker, frame_row, run_in_turn
from torch import nn

from sam2lite.bench.machine_facts import load_average
from sam2lite.calibration.calibrate import CalibrationSettings, calibrate
from sam2lite.cli.app import run_app
from sam2lite.exporter.bundle.writer import write_trial_bundle
from sam2lite.exporter.footage import recordings
from sam2lite.exporter.precision.int8 import all_layers, unmeasured
from sam2lite.exporter.precision.schemes import Making
from sam2lite.models.backbones.config import BACKBONES as TRUNKS
from sam2lite.models.backbones.config import TrunkConfig, config_of
from sam2lite.models.backbones.network import build as build_backbone
from sam2lite.models.edgetam.config import EdgeTamConfig
from sam2lite.models.edgetam.network import build as build_edgetam
from sam2lite.models.efficienttam.config import PUBLISHED as EFFICIENTTAMS
from sam2lite.models.efficienttam.network import build as build_efficienttam
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.registry import load_model
from sam2lite.models.sam2.config import PUBLISHED as SAM2S
from sam2lite.models.sam2.network import build as build_sam2
from sam2lite.runtimes.measuring.stage_clock import TOTAL
from sam2lite.targets.registry import host_target

WORKER = Path(__file__).with_name("edge_families_worker.py")
BASE, FLOAT = "PyTorch", "ours, FP32"
QUICK = (BASE, FLOAT)
NEEDS = {"OpenVINO, our FP32 graphs": "openvino", "Hugging Face": "transformers"}
CALIBRATION = CalibrationSettings(frames=12, observer="minmax")


@dataclass(frozen=True)
class Network:
    """A row of the study.

    Attributes:
        build: makes it with random weights; or the name of one that comes with the package.
        size: of the input, px.
        variant: of checkpoints that do not show it.
        published: makes Hugging Face's model of it; None where there is none, or not here.
    """

    build: Callable[[], nn.Module] | str
    size: int
    variant: str | None = None
    published: Callable[[Any, int], Any] | None = None


def _sam2_published(network: Any, size: int) -> Any:
    from tests.oracles.hugging_face import hugging_face_model

    return hugging_face_model(network, size)


def _edgetam_published(network: Any, size: int) -> Any:
    take_any_torchvision()
    from tests.oracles.edge_hugging_face import edge_model

    return edge_model(network, size)


def _behind(trunk: TrunkConfig) -> Network:
    return Network(lambda: build_backbone(config_of(trunk), 1), 512)


_TI = "efficienttam_ti_512x512"
_EDGETAM = Network(lambda: build_edgetam(EdgeTamConfig(), 1), 512, published=_edgetam_published)
NETWORKS = {
    "EdgeTAM, 512 px": _EDGETAM,
    "EdgeTAM, 1024 px": dataclasses.replace(_EDGETAM, size=1024),
    "EfficientTAM-Ti, 512 px": Network(lambda: build_efficienttam(EFFICIENTTAMS[_TI]), 512, _TI),
    "SAM 2.1 tiny, 512 px": Network(
        lambda: build_sam2(SAM2S["sam2.1_hiera_tiny"]), 512, published=_sam2_published
    ),
    **{
        f"{name} under SAM 2.1's heads, 512 px": _behind(trunk)
        for name, (trunk, _) in TRUNKS.items()
    },
    "our Tiny, 480 px": Network("tiny", 480),
}


def prepare(name: str, contenders: list[str], folder: Path) -> list[str]:
    """Write what contenders load, unless it is there; return those that there are."""
    network = NETWORKS[name]
    write_footage(folder.parent)
    model = _checkpoint(network, folder)
    said = {"model": model, "size": network.size, "variant": network.variant}
    (folder / NETWORK_FILE).write_text(json.dumps(said))
    for source in sorted({CONTENDERS[contender][0] for contender in contenders}):
        if (folder / source).exists() or (source == "huggingface" and network.published is None):
            continue
        print(f"preparing {name}: {source}", file=sys.stderr)
        loaded = load_model(model, variant=network.variant)
        unfinished = folder / f".{source}"
        shutil.rmtree(unfinished, ignore_errors=True)
        if source == "huggingface":
            _write_published(name, loaded, unfinished)
        elif source in IN_FP32:
            write_in_fp32(source, loaded, network.size, unfinished)
        else:
            _write_int8(loaded, network.size, unfinished)
        if unfinished.exists():
            unfinished.rename(folder / source)
    return [each for each in contenders if (folder / CONTENDERS[each][0]).exists()]


def _checkpoint(network: Network, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    if isinstance(network.build, str):
        return network.build
    path = folder / "weights.pt"
    if not path.exists():
        torch.save({"model": dict(network.build().state_dict())}, path)
    return str(path)


def _write_published(name: str, loaded: LoadedModel, folder: Path) -> None:
    network = NETWORKS[name]
    assert network.published is not None
    try:
        network.published(loaded.model, network.size).save_pretrained(folder)
    except ImportError as error:
        print(f"Hugging Face's {name} is left out: {error}", file=sys.stderr)


def _write_int8(loaded: LoadedModel, size: int, folder: Path) -> None:
    """Write a bundle of which nothing is scored: time does not depend on ranges."""
    found = calibrate(loaded, [size], CALIBRATION, recordings())
    making = Making(loaded, host_target(), ranges=found.ranges)
    making = dataclasses.replace(making, assignment=all_layers(making))
    write_trial_bundle(loaded, host_target(), size, unmeasured(making), folder)


def row(worker: Worker, folder: Path) -> dict[str, Any]:
    """Return what is told of one worker."""
    stages = {name: times for name, times in worker.times.items() if name not in ("frame", TOTAL)}
    source = folder / CONTENDERS[worker.contender][0]
    return {
        **frame_row(worker),
        "stages_ms": {name: round(statistics.median(ms), 2) for name, ms in stages.items()},
        "bundle_mb": round(_size_mb(source), 1) if stages else None,
        "iou": agreement(folder, worker.contender, BASE),
    }


def _size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def markdown(result: dict[str, Any]) -> str:
    """Return a table of frames, one of stages, and what was measured on."""
    text = f"""Medians of {result["frames"]} frames with a full memory; a process for every
        contender and thread count, in turn. Peak memory is that of
        {_threads(result["threads"][0])}. IoU is that of a mask with {BASE}'s.
        `{result["command"]}`"""
    return "\n\n".join(
        [
            conditions(result["machine"], result["packages"], text),
            _frames_table(result),
            f"Where the time goes, wall milliseconds on {_threads(result['threads'][0])}:",
            _stages_table(result),
        ]
    )


def _frames_table(result: dict[str, Any]) -> str:
    counts = result["threads"]
    header = ["network", "contender"]
    for count in counts:
        header += [f"CPU s, {_threads(count)}", f"of {BASE}", "quartiles", "wall s"]
    header += ["peak MB", "bundle MB", "IoU"]
    lines: list[list[object]] = []
    for subject in result["subjects"]:
        by_count = {count: _by_contender(subject["rows"], count) for count in counts}
        first = by_count[counts[0]]
        for contender, found in first.items():
            cells: list[object] = [subject["network"], contender]
            for count in counts:
                cells += _times(by_count[count], contender)
            size, iou = found["bundle_mb"], found["iou"]
            cells += [f"{found['peak_mb']:.0f}", size or "", "" if iou is None else f"{iou:.4f}"]
            lines.append(cells)
    return table(header, lines)


def _times(rows: dict[str, Any], contender: str) -> list[str]:
    if contender not in rows:
        return [""] * 4
    found, base = rows[contender], rows.get(BASE)
    low, high = found["quartiles_cpu_s"]
    return [
        f"{found['frame_cpu_s']:.3f}",
        f"{found['frame_cpu_s'] / base['frame_cpu_s']:.2f}x" if base else "",
        f"{low:.3f}..{high:.3f}",
        f"{found['frame_wall_s']:.3f}",
    ]


def _stages_table(result: dict[str, Any]) -> str:
    rows = [
        (subject["network"], contender, found["stages_ms"])
        for subject in result["subjects"]
        for contender, found in _by_contender(subject["rows"], result["threads"][0]).items()
        if found["stages_ms"]
    ]
    ran = (stage for *_, found in rows for stage, ms in found.items() if ms > 0)
    stages = list(dict.fromkeys(ran))  # not memory attention with fewer slots
    header = ["network", "contender", *(stage.replace("_", " ") for stage in stages)]
    lines = [
        [network, contender, *(f"{found[stage]:.1f}" if stage in found else "" for stage in stages)]
        for network, contender, found in rows
    ]
    return table(header, lines)


def _by_contender(rows: list[dict[str, Any]], threads: int) -> dict[str, Any]:
    return {row["contender"]: row for row in rows if row["threads"] == threads}


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def main() -> None:
    """Prepare, measure, print."""
    quick = "EdgeTAM at 512 px in FP32, one thread, 3 frames"
    parser = study_parser(__doc__, CONTENDERS, quick)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS)
    args = parser.parse_args()
    names = args.networks or (list(NETWORKS)[:1] if args.quick else list(NETWORKS))
    before, subjects = load_average(), []
    with planned(args, QUICK if args.quick else tuple(CONTENDERS), NEEDS) as plan:
        folders = {name: plan.cache / name.replace(", ", "@").replace(" ", "_") for name in names}
        there = {name: prepare(name, plan.contenders, folders[name]) for name in names}
        for name, folder in folders.items():
            rows = [
                row(worker, folder)
                for count in plan.threads
                for worker in run_in_turn(
                    WORKER, there[name], folder, count, plan.rounds, frames=plan.frames
                )
            ]
            subjects.append({"network": name, "rows": rows})
    decided = ("networks", "contenders", "threads")
    result = {**recorded(__file__, args, decided, plan, before), "subjects": subjects}
    publish(args, result, markdown(result), "families")


if __name__ == "__main__":
    run_app(main)
