"""Frozen sets of generated clips, on which figures of different days and models compare.

A set is a configuration and a range of seeds, so it needs no files. `set_sha256` is the hash of all
frames and label maps as they were when the set was frozen. The bytes depend on the versions of
OpenCV, whose resampling and JPEG coder differ between releases, and of NumPy, whose random streams
may: `RECORDED_WITH` names them. Other versions give clips of the same kind with other bytes, and
scores that differ a little; `check_set` tells.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from sam2lite.data.clips import Clip, ClipConfig, Effect, generate_clip
from sam2lite.errors import UnknownNameError, VerificationError

RECORDED_WITH = {"numpy": "2.4.6", "opencv": "5.0.0"}

_HARD = ClipConfig(
    height=320,
    width=320,
    frames=16,
    seed_space=101,
    object_size=(0.06, 0.85),
    twin_probability=0.35,
    thin_probability=0.14,
    holed_probability=0.12,
    limbs_probability=0.22,
    patch_probability=0.25,
    rider_probability=0.15,
    meeting_probability=0.35,
    stuff_probability=0.15,
    bend=Effect(0.35, 0.30),
    swing=Effect(0.9, 40.0),
    shadow=Effect(0.5, 0.6),
    compression=Effect(0.25, 85.0),
)


@dataclass(frozen=True)
class EvalSet:
    """The clips of `seeds`, and the SHA-256 of their frames and labels in that order."""

    config: ClipConfig
    seeds: range
    set_sha256: str


EVAL_SETS = {
    "eval-v1": EvalSet(
        _HARD, range(64), "af05f124b0604430a4aba19311809f19f5e9147925077db79af96a611879ba4e"
    ),
    "eval-smoke": EvalSet(
        _HARD, range(6), "9c18f9f94680c3426e850d4f5a42ccdbd8808617f85960de32163814ea122b1d"
    ),
}
"""`eval-smoke` holds the first clips of `eval-v1`, for tests."""


def eval_clips(name: str) -> Iterator[Clip]:
    """Generate the clips of a set one by one, in the order of their seeds.

    Raises:
        UnknownNameError: there is no such set.
    """
    eval_set = _find(name)
    return (generate_clip(seed, eval_set.config) for seed in eval_set.seeds)


def check_set(name: str) -> None:
    """Generate a set and compare its bytes with those that were recorded.

    Raises:
        UnknownNameError: there is no such set.
        VerificationError: the bytes differ, so figures do not compare with published ones.
    """
    digest = hashlib.sha256()
    for clip in eval_clips(name):
        digest.update(clip.frames_rgb_thwc.tobytes())
        digest.update(clip.labels_thw.tobytes())
    if digest.hexdigest() != _find(name).set_sha256:
        here = {"numpy": np.__version__, "opencv": cv2.__version__}
        raise VerificationError(
            f"set '{name}' has SHA-256 {digest.hexdigest()} here and {_find(name).set_sha256} "
            f"where it was recorded; it was recorded with {_versions(RECORDED_WITH)}, and this is "
            f"{_versions(here)}: install the recorded versions to compare with published figures"
        )


def _find(name: str) -> EvalSet:
    if name not in EVAL_SETS:
        raise UnknownNameError("evaluation set", name, EVAL_SETS)
    return EVAL_SETS[name]


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{package} {version}" for package, version in versions.items())
