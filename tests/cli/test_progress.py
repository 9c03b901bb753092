"""What is said while something runs where nobody sees a bar: in a log, or on a pipe."""

import time

import pytest

from sam2lite.cli import progress
from sam2lite.cli.progress import LONGEST_PAUSE_S, ShownProgress, progress_bar, shown_progress


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made)
    return made


def test_a_phase_says_that_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    with ShownProgress().phase("calibrate", 64) as step, ShownProgress().phase("search", None):
        step("frame 1")
    assert capsys.readouterr().err == "calibrate: 64 steps\nsearch\n"


def test_a_long_phase_goes_on_saying_where_it_is(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with ShownProgress().phase("export", 3) as step:
        for key in ("image_encoder@512", "mask_decoder@512"):
            clock.now_s += 8
            step(key)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["export: 3 steps", "export: mask_decoder@512: 2 of 3, 16 s"]


def test_a_stream_without_end_says_less_and_less(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with shown_progress("tracking") as begin:
        advance = begin(None)
        for _ in range(24 * 60):
            clock.now_s += 60
            advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "tracking: 1, 60 s"
    assert 24 * 3600 / LONGEST_PAUSE_S - 5 < len(lines) < 24 * 3600 / LONGEST_PAUSE_S + 10


def test_what_is_quick_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar() as bar:
        for _ in bar.track(range(100), description="clips"):
            pass
    assert capsys.readouterr().err == ""


def test_what_goes_through_a_list_is_told_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "FIRST_LINE_S", 0.05)
    with progress_bar() as bar:
        for _ in bar.track(range(3), description="clips"):
            time.sleep(0.15)
    assert capsys.readouterr().err.startswith("clips: ")
