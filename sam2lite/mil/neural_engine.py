"""Operators that are known, or held, not to run on Apple's Neural Engine.

Apple publishes no such list. What is here comes from others, is as good as its source, and may
differ between chips and systems; Xcode's performance report of a package on a device decides. An
operator that does not run there makes Core ML hand over to the CPU or GPU and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

# `documented` by Apple; `recorded` by Core ML itself, in a compute plan that someone published;
# `reported` by people who tried; `inferred` here, from one of those about a like operator.
Evidence = Literal["documented", "recorded", "reported", "inferred"]

_PLANS = (
    "huggingface.co/hyperkit/distil-whisper-small-cantonese-coreml, TextDecoder.mlcomputeplan.json"
)
_SPECTROGRAM = "huggingface.co/mickekringai/kb-whisper-coreml, MelSpectrogram.mlcomputeplan.json"
_GUIDE = "ane-guide.readthedocs.io, part 1, chapter 4 (reverse engineering)"
_FORGE = "aneforge.readthedocs.io, capabilities (reverse engineering)"
_HOLLANCE = "github.com/hollance/neural-engine, docs/unsupported-layers.md"


@dataclass(frozen=True)
class Obstacle:
    """Why some operators do not run on the Neural Engine.

    Attributes:
        ops: their types.
        reason: in words.
        evidence: what it rests on.
        source: where that is written.
    """

    ops: tuple[str, ...]
    reason: str
    evidence: Evidence
    source: str


OBSTACLES = (
    Obstacle(("gather",), "planned for the CPU, which alone supports it", "recorded", _PLANS),
    Obstacle(("gather_along_axis", "gather_nd"), "taken to be as gather is", "inferred", _PLANS),
    Obstacle(
        ("pad",), "planned for the CPU, which alone supports it there", "recorded", _SPECTROGRAM
    ),
    Obstacle(
        ("scatter", "scatter_along_axis", "scatter_nd", "reduce_prod"),
        "no hardware path in any generation",
        "reported",
        _GUIDE,
    ),
    Obstacle(("gru", "lstm", "rnn"), "no hardware path in any generation", "reported", _GUIDE),
    Obstacle(("cos", "sin"), "only from the A15 on", "reported", _GUIDE),
    Obstacle(
        ("topk",),
        "the engine has one, which converted programs are not said to reach; its indices are exact "
        "to 2048 only",
        "inferred",
        "ane-guide.readthedocs.io, appendix B (reverse engineering)",
    ),
    Obstacle(
        ("equal", "greater", "greater_equal", "less", "less_equal", "not_equal", "select"),
        "on integers: int32 tensors are refused",
        "inferred",
        _FORGE,
    ),
    Obstacle(("custom_layer",), "has only a CPU and a GPU side", "reported", _HOLLANCE),
)

# Not of an operator but of its type; `FunctionInventory.float32_ops` counts them.
FLOAT32 = Obstacle(
    (),
    "float32: such programs run on the CPU and GPU",
    "documented",
    "apple.github.io/coremltools/docs-guides/source/typed-execution-example.html",
)


def obstacles(ops: Mapping[str, int]) -> list[tuple[Obstacle, dict[str, int]]]:
    """Return the obstacles that an operator histogram meets, each with the counts of its own."""
    met = []
    for obstacle in OBSTACLES:
        counts = {op: ops[op] for op in obstacle.ops if op in ops}
        if counts:
            met.append((obstacle, counts))
    return met
