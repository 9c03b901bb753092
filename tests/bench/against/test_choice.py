from pathlib import Path

import pytest

from sam2lite.bench.against import choice
from sam2lite.bench.against.choice import advice, keep


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "sam2lite"


def test_what_was_measured_is_advised() -> None:
    assert advice() is None
    keep("tiny", "int8", 480, 2, {"ort": 13.8, "openvino": 13.2})
    assert advice("tiny", "int8") == (
        "measured on this machine, tiny in int8 at 480 px, 2 threads: openvino 13.2 ms, ort 13.8 "
        "ms a frame; take sam2lite-export openvino"
    )
    assert advice("tiny") == advice() == advice("tiny", "int8")
    assert advice("small") is None
    assert advice("tiny", "fp32") is None


def test_the_newest_measurement_of_the_same_counts() -> None:
    keep("tiny", "int8", 480, 2, {"ort": 13.8, "openvino": 13.2})
    keep("tiny", "fp32", 480, 2, {"ort": 26.0, "openvino": 27.0})
    keep("tiny", "int8", 240, 1, {"ort": 5.9, "openvino": 7.0})
    assert str(advice("tiny", "int8")).endswith("take sam2lite-export ort")
    assert "240 px, 1 threads" in str(advice())
    assert "fp32" in str(advice(precision="fp32"))


def test_what_is_level_is_said_to_be() -> None:
    keep("tiny", "int8", 480, 2, {"ort": 13.3, "openvino": 13.2})
    assert str(advice()).endswith("they are level, take either")


def test_another_machine_says_nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    keep("tiny", "int8", 480, 2, {"ort": 13.8, "openvino": 13.2})
    monkeypatch.setattr(choice, "_machine", lambda: "another, 4 cores")
    assert advice() is None


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "[3]", '[{"machine": "x"}]', '{"a": 1}'])
def test_a_file_of_others_says_nothing(text: str, own_cache: Path) -> None:
    own_cache.mkdir()
    (own_cache / choice.FILE).write_text(text)
    assert advice() is None
    keep("tiny", "int8", 480, 2, {"ort": 13.8, "openvino": 13.2})
    assert advice() is not None


def test_a_cache_that_cannot_be_written_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "sam2lite").write_text("a file")
    keep("tiny", "int8", 480, 2, {"ort": 13.8, "openvino": 13.2})
    assert advice() is None
