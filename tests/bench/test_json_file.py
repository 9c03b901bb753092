import json
from pathlib import Path

import pytest

from sam2lite.bench.json_file import reserved_json
from sam2lite.errors import OutputError


def test_writes_what_it_was_given_and_nothing_else(tmp_path: Path) -> None:
    with reserved_json(tmp_path / "a.json", force=False) as write:
        write({"fps": 30.5})
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert json.loads((tmp_path / "a.json").read_text()) == {"fps": 30.5}


def test_an_early_end_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), reserved_json(tmp_path / "a.json", force=False):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_an_early_end_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), reserved_json(path, force=True):
        raise KeyboardInterrupt
    assert path.read_text() == "old"


def test_existing_file_needs_force(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with (
        pytest.raises(OutputError, match="add --force"),
        reserved_json(path, force=False),
    ):
        pytest.fail("the work began")
    with reserved_json(path, force=True) as write:
        write({})
    assert json.loads(path.read_text()) == {}


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"), reserved_json(tmp_path, force=True):
        pytest.fail("the work began")


def test_missing_folder(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "a.json"
    with pytest.raises(OutputError, match="No such file"), reserved_json(path, force=False):
        pytest.fail("the work began")


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "a.json"
    with pytest.raises(OutputError, match="Not a directory"), reserved_json(path, force=False):
        pytest.fail("the work began")
