"""A folder appears whole, or what was there before stays as it was."""

import errno
import os
from pathlib import Path

import pytest

from sam2lite.errors import OutputError
from sam2lite.files.staging import FolderKind, staged_folder

KIND = FolderKind("a test", "mark.json", '"test"', ("mark.json", "old.txt", "graphs/*"))


def tree(folder: Path) -> dict[str, str]:
    """Return the text of every file below a folder, hidden ones too, by its relative path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in files}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder that was made before."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "old.txt").write_text("mine")
    (folder / "mark.json").write_text('{"test": 1}')
    return folder


OLD = {"out/old.txt": "mine", "out/mark.json": '{"test": 1}'}


def write(output: Path, force: bool = False, end: BaseException | None = None) -> None:
    """Stage a file, and end the block early if told so."""
    with staged_folder(output, force, KIND) as folder:
        (folder / "graphs").mkdir()
        (folder / "graphs" / "a.onnx").write_text("new")
        if end is not None:
            raise end


def test_a_folder_appears_when_the_block_has_succeeded(tmp_path: Path) -> None:
    output = tmp_path / "out"
    with staged_folder(output, False, KIND) as folder:
        (folder / "a").write_text("new")
        assert not output.exists()
        assert folder.parent == output.parent
    assert tree(tmp_path) == {"out/a": "new"}


def test_missing_parents_are_made(tmp_path: Path) -> None:
    write(tmp_path / "runs" / "today" / "out")
    assert tree(tmp_path) == {"runs/today/out/graphs/a.onnx": "new"}


def test_an_empty_folder_is_filled_without_force(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(tmp_path / "out")
    assert tree(tmp_path) == {"out/graphs/a.onnx": "new"}


def test_what_is_there_is_refused_without_force(old: Path) -> None:
    with pytest.raises(OutputError, match=r"is not empty; add --force"):
        write(old)
    assert tree(old.parent) == OLD


def test_force_replaces_all_of_it(old: Path) -> None:
    write(old, force=True)
    assert tree(old.parent) == {"out/graphs/a.onnx": "new"}
    assert [path.name for path in old.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("end", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
@pytest.mark.parametrize("force", [False, True])
def test_whatever_ends_the_block_leaves_the_rest_as_it_was(
    old: Path, end: BaseException, force: bool
) -> None:
    output = old if force else old.with_name("new")
    with pytest.raises(type(end)):
        write(output, force, end)
    assert tree(old.parent) == OLD
    assert [path.name for path in old.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("force", [False, True])
def test_a_file_is_never_replaced(tmp_path: Path, force: bool) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="is a file; give --output the name of a folder"):
        write(tmp_path / "out", force)
    assert tree(tmp_path) == {"out": "mine"}


def test_a_file_among_the_parents_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match=r"cannot write '.*out': Not a directory"):
        write(tmp_path / "file" / "out")
    assert tree(tmp_path) == {"file": "mine"}


@pytest.mark.parametrize("above", [0, 1])
def test_the_working_folder_and_those_above_it_are_refused(
    old: Path, above: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (old / "below").mkdir()
    monkeypatch.chdir([old, old / "below"][above])
    with pytest.raises(OutputError, match="holds the working or the home folder"):
        write(old, force=True)
    assert tree(old.parent) == OLD


def test_the_home_folder_is_refused(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(old / "me"))
    with pytest.raises(OutputError, match="holds the working or the home folder"):
        write(old, force=True)
    assert tree(old.parent) == OLD


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_parent_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match=r"cannot write .*Permission denied; choose a folder"):
            write(tmp_path / "out")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("force", [False, True])
def test_a_full_disk_is_said_and_nothing_is_left(old: Path, force: bool) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "a.onnx")
    with pytest.raises(OutputError, match=r"cannot write .*No space left on device.*has room"):
        write(old if force else old.with_name("new"), force, full)
    assert tree(old.parent) == OLD
    assert [path.name for path in old.parent.iterdir()] == ["out"]


def test_the_old_folder_comes_back_when_the_new_one_cannot_take_its_place(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def refuse_the_new(path: str, target: str) -> None:
        if ".partial-" in path:
            raise OSError(errno.EIO, "Input/output error")
        rename(path, target)

    monkeypatch.setattr(os, "rename", refuse_the_new)
    with pytest.raises(OutputError, match="Input/output error"):
        write(old, force=True)
    assert tree(old.parent) == OLD
    assert [path.name for path in old.parent.iterdir()] == ["out"]
