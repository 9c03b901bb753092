"""Record what the Python loop does, for the unit tests of the Swift package under ios/.

    python checks/ios_traces.py         write ios/Tests/SAM2LiteTests/Traces/*.json anew

Everything is seeded; tests/test_ios_traces.py compares the committed files with what this gives.
"""

from __future__ import annotations

import json
import math
import random
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sam2lite.contracts.families import sam2lite as contract  # noqa: E402
from sam2lite.contracts.families.sam2lite import FAMILY, graph_dims  # noqa: E402
from sam2lite.contracts.loop import WINDOW_MAX, WINDOW_MIN  # noqa: E402
from sam2lite.contracts.manifest import GraphEntry, Manifest, ModelInfo, Postprocess  # noqa: E402
from sam2lite.contracts.tensors import GraphSpec  # noqa: E402
from sam2lite.models.sam2lite.config import TINY  # noqa: E402
from sam2lite.runtimes.controller import FrameController  # noqa: E402
from sam2lite.runtimes.controller.pid import Pid  # noqa: E402
from sam2lite.runtimes.controller.presets import PRESETS  # noqa: E402
from sam2lite.runtimes.controller.time_model import TimeModel  # noqa: E402
from sam2lite.runtimes.geometry import stretched  # noqa: E402
from sam2lite.runtimes.prompts import Prompt  # noqa: E402
from sam2lite.runtimes.rules.sam2lite.memory_bank import MemoryBank  # noqa: E402
from sam2lite.runtimes.rules.sam2lite.pruning import Pruning  # noqa: E402
from sam2lite.targets.apple import APPLE_TARGETS  # noqa: E402

TRACES = ROOT / "ios" / "Tests" / "SAM2LiteTests" / "Traces"
BANK_SLOTS = 128  # four frames, so that the bank overflows and anchors make room
DECIMALS = 5  # of floats, so that a last bit of another machine's library does not matter


def controller() -> list[dict[str, Any]]:
    """Return latencies and the rungs that they lead to, under a load that changes."""
    scenarios = []
    for seed, window_saves_time in ((0, False), (1, True)):
        draw = random.Random(seed)
        windows = range(WINDOW_MIN, WINDOW_MAX + 1) if window_saves_time else ()
        loop_controller = FrameController(33.0, contract.RUNGS, windows=windows)
        frames = []
        for frame in range(240):
            load_ms = (30.0, 75.0, 260.0, 45.0)[frame // 60]  # of the largest rung
            rung = loop_controller.rung
            spike = 4.0 if draw.random() < 0.03 else 1.0
            latency_ms = load_ms * (rung / 480) ** 1.7 * draw.gauss(1.0, 0.03) * spike
            latency_ms = round(latency_ms, 3)
            state = loop_controller.observe(latency_ms)
            frames.append([latency_ms, state.rung, state.window, state.status])
        scenarios.append(
            {"budget_ms": 33.0, "window_saves_time": window_saves_time, "frames": frames}
        )
    return scenarios


def time_model() -> list[dict[str, Any]]:
    """Return what a time model estimates frame by frame; its noise decides how much it learns."""
    scales = [rung / contract.RUNGS[-1] for rung in contract.RUNGS]
    draw = random.Random(6)
    model = TimeModel(scales)
    frames = []
    for frame in range(120):
        level = (5, 5, 3, 4, 0, 2)[frame // 20]
        load_ms, noise = ((45.0, 0.02), (45.0, 0.12), (90.0, 0.05))[frame // 40]
        latency_ms = load_ms * scales[level] ** 1.6 * math.exp(draw.gauss(0.0, noise))
        latency_ms = round(latency_ms * (5.0 if draw.random() < 0.04 else 1.0), 3)
        model.observe(level, latency_ms)
        estimates = [model.log_time(scales[0]), model.log_time(1.0), model.move(0.9, -0.1)]
        frames.append([level, latency_ms, *_floats(np.array(estimates))])
    return [{"scales": scales, "frames": frames}]


def pid() -> list[dict[str, Any]]:
    """Return errors, whether the output was blocked, and the steps that they give."""
    draw = random.Random(7)
    law = Pid(PRESETS["default"].gains)
    steps = []
    for index in range(40):
        error = round(draw.gauss(0.0, (0.06, 0.6)[index % 8 == 5]), DECIMALS)
        blocked = draw.random() < 0.2
        steps.append([error, blocked, round(law.step(error, blocked), 7)])
    return [{"steps": steps}]


def prompts() -> list[dict[str, Any]]:
    """Return clicks and boxes with the slots that they fill."""
    draw = random.Random(2)
    cases = []
    for clicks, with_box in ((1, False), (3, False), (0, True), (2, True), (8, False), (6, True)):
        width, height = draw.choice(((640, 480), (1920, 1080), (721, 1281)))
        points = [[draw.randrange(width), draw.randrange(height)] for _ in range(clicks)]
        labels = [draw.randrange(2) for _ in range(clicks)]
        # A box may end on the frame's outer edge.
        box = [draw.uniform(0, 99), draw.uniform(0, 99), width, height - 7.5] if with_box else None
        slots = Prompt(points, labels, box).slots(width, height)
        cases.append(
            {
                "size": [width, height],
                "points": points,
                "labels": labels,
                "box": box,
                "xy_norm": _floats(slots.prompt_xy_norm_bpc),
                "slot_labels": slots.prompt_label_bp.ravel().tolist(),
                "bias": _floats(slots.prompt_bias_b11p),
            }
        )
    return cases


def bank() -> list[dict[str, Any]]:
    """Return steps of one bank, under a long and a short window, with its columns after each."""
    return [_bank_steps(8, {0, 3, 4, 8}, seed=3), _bank_steps(2, {0}, seed=4)]


def _bank_steps(window_max: int, anchors: set[int], seed: int) -> dict[str, Any]:
    draw = np.random.RandomState(seed)
    tokens = MemoryBank(BANK_SLOTS, Pruning(BANK_SLOTS, window=window_max))
    steps = []
    for step in range(12):
        ticks = int(draw.randint(1, 60))
        for _ in range(ticks):
            tokens.tick()
        forgets = step in (5, 8)
        if forgets:
            tokens.forget_last()
        window = [1, 2, 8, None][step % 4]
        age_bn, bias_b11n = tokens.view(window)
        anchor = step in anchors
        motion = round(float(draw.uniform()), DECIMALS)
        uncertainty = round(float(draw.uniform()), DECIMALS)
        meta = tokens.candidates(
            np.full((1, contract.TOKENS_PER_FRAME), uncertainty, np.float32), motion, anchor
        )
        kept = _ranked(meta[0], draw)
        tokens.commit(tokens.key, tokens.value, kept[np.newaxis])
        columns = tokens.columns
        steps.append(
            {
                "ticks": ticks,
                "forgets": forgets,
                "window": window,
                "anchor": anchor,
                "motion": motion,
                "uncertainty": uncertainty,
                "kept_index": kept.tolist(),
                "view_age": _floats(age_bn),
                "view_bias": _floats(bias_b11n),
                "meta_valid": meta[0, :, contract.META_VALID].astype(int).tolist(),
                "meta_sums": _floats(meta[0].astype(np.float64).sum(axis=0)),
                "ages": columns["age"].tolist(),
                "ordinals": columns["ordinal"].tolist(),
                "tokens": columns["token"].tolist(),
                "valid": columns["valid"].astype(int).tolist(),
                "stored": tokens.stored,
            }
        )
    return {"slots": BANK_SLOTS, "window_max": window_max, "steps": steps}


def _ranked(meta: np.ndarray, draw: np.random.RandomState) -> np.ndarray:
    """Stand in for memory_select, with importances drawn at random."""
    score = draw.uniform(size=len(meta)) + contract.ANCHOR_BONUS * meta[:, contract.META_ANCHOR]
    score += contract.INVALID_PENALTY * (1 - meta[:, contract.META_VALID])
    return np.argsort(-score, kind="mergesort")[:BANK_SLOTS].astype(np.int32)


def geometry() -> list[dict[str, Any]]:
    """Return small images and what stretching and INTER_LINEAR make of them."""
    draw = np.random.RandomState(5)
    cases = []
    for height, width, side in ((6, 6, 9), (9, 7, 4), (13, 30, 5), (5, 5, 5)):
        image = (draw.uniform(-10, 10, (height, width))).round(DECIMALS).astype(np.float32)
        cases.append(
            {
                "size": [width, height],
                "side": side,
                "image": _floats(image),
                "stretched": _floats(stretched(image, side, side)),
                "resized": _floats(cv2.resize(image, (side, side), interpolation=1)),
            }
        )
    return cases


def manifest() -> dict[str, Any]:
    """Return a manifest for iOS 18 with two rungs and no files."""
    target = next(
        target for target in APPLE_TARGETS if target.coreml and target.coreml.multifunction
    )
    entries = {
        key: _entry(spec, rung, f"r{rung}" if spec.per_size else None)
        for key, (spec, rung) in FAMILY.keyed((240, 480)).items()
    }
    return Manifest(
        sam2lite_version="0",
        model=ModelInfo(FAMILY.name, "none", "", "", False, 0, {}),
        backend="coreml",
        target=target.to_json(),
        opset=8,
        rungs=(240, 480),
        graphs=entries,
        preprocess={},
        dims={str(rung): graph_dims(rung, 128, 32, 16, 256) for rung in (240, 480)},
        stages=tuple(graph.name for graph in FAMILY.graphs),
        postprocess=Postprocess(FAMILY.mask_stride, 0.0, 0.0, "INTER_LINEAR"),
        memory=TINY.memory(),
        calibration=None,
        verification={},
        tools={},
        files={},
        status="",
    ).to_json()


def _entry(spec: GraphSpec, rung: int, function: str | None) -> GraphEntry:
    bound = spec.bind(graph_dims(rung, 128, 32, 16, 256))
    return GraphEntry(f"graphs/{spec.name}.mlpackage", "fp16", bound, function)


def _floats(array: np.ndarray) -> list[float]:
    return [round(float(value), DECIMALS) for value in array.ravel()]


RECORDERS = {
    "controller": controller,
    "time_model": time_model,
    "pid": pid,
    "prompts": prompts,
    "bank": bank,
    "geometry": geometry,
    "manifest": manifest,
}


def main() -> None:
    """Write all files."""
    TRACES.mkdir(parents=True, exist_ok=True)
    for name, record in RECORDERS.items():
        text = json.dumps(record(), separators=(",", ":"))
        (TRACES / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
