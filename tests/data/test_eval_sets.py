"""Frozen evaluation sets: their bytes, and what is said when those differ."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from sam2lite.data import eval_sets
from sam2lite.data.clips import training_config
from sam2lite.data.eval_sets import EVAL_SETS, RECORDED_WITH, check_set, eval_clips
from sam2lite.errors import UnknownNameError, VerificationError

HERE = {"numpy": np.__version__, "opencv": cv2.__version__}


@pytest.mark.skipif(HERE != RECORDED_WITH, reason=f"recorded with {RECORDED_WITH}")
def test_the_smoke_set_has_the_recorded_bytes() -> None:
    check_set("eval-smoke")


@pytest.mark.skipif(HERE != RECORDED_WITH, reason=f"recorded with {RECORDED_WITH}")
def test_the_bytes_do_not_depend_on_the_number_of_threads() -> None:
    program = (
        "import cv2; cv2.setNumThreads({});"
        "from sam2lite.data.eval_sets import check_set; check_set('eval-smoke')"
    )
    for threads in (1, 2):
        subprocess.run([sys.executable, "-c", program.format(threads)], check=True)


@pytest.mark.slow
@pytest.mark.skipif(HERE != RECORDED_WITH, reason=f"recorded with {RECORDED_WITH}")
def test_eval_v1_has_the_recorded_bytes() -> None:
    check_set("eval-v1")


def test_a_set_has_the_size_it_promises() -> None:
    clip = next(eval_clips("eval-smoke"))
    assert clip.frames_rgb_thwc.shape == (16, 320, 320, 3)
    assert len(EVAL_SETS["eval-v1"].seeds) == 64


def test_the_smoke_set_is_the_beginning_of_eval_v1() -> None:
    smoke, full = EVAL_SETS["eval-smoke"], EVAL_SETS["eval-v1"]
    assert smoke.config == full.config
    assert list(smoke.seeds) == list(full.seeds)[: len(smoke.seeds)]


def test_training_never_sees_an_evaluation_clip() -> None:
    spaces = {eval_set.config.seed_space for eval_set in EVAL_SETS.values()}
    assert training_config(320, 16).seed_space not in spaces


def test_other_bytes_are_reported_with_the_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    one = EVAL_SETS["eval-smoke"]
    changed = replace(one, config=replace(one.config, height=32, width=32), seeds=range(1))
    monkeypatch.setitem(eval_sets.EVAL_SETS, "eval-smoke", changed)
    with pytest.raises(VerificationError, match=f"recorded with .*opencv {cv2.__version__}"):
        check_set("eval-smoke")


@pytest.mark.parametrize("use", [eval_clips, check_set])
def test_an_unknown_set_is_refused_at_once(use: Callable[[str], object]) -> None:
    with pytest.raises(UnknownNameError, match="known: eval-v1, eval-smoke"):
        use("eval-v9")
