"""Whose an unfinished output is, and what becomes of those that nobody finishes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sam2lite.errors import OutputError
from sam2lite.files import unfinished
from sam2lite.files.atomic import Unchanged, check_file, replacing, write_atomically
from sam2lite.files.mounts import mount_inside
from sam2lite.files.staging import FolderKind, cached_folder, check_replaceable, staged_folder
from sam2lite.files.unfinished import (
    PARTIAL,
    REPLACED,
    HeldError,
    clear_unfinished,
    hold,
    is_unfinished,
    new_file,
    new_folder,
    output_of,
    release,
    unfinished_name,
)

KIND = FolderKind("a test", "mark.json", '"test"', ("mark.json", "graphs/*"))
STAGE = """
import os, sys
from pathlib import Path
from sam2lite.files.staging import FolderKind, staged_folder
kind = FolderKind("a test", "mark.json", '"test"', ("mark.json", "graphs/*"))
with staged_folder(Path(sys.argv[1]), sys.argv[2] == "force", kind) as folder:
    (folder / "mark.json").write_text('{"test": "new"}')
    print("at work", flush=True)
    sys.stdin.read()
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def make(folder: Path, text: str = "old") -> Path:
    folder.mkdir()
    (folder / "mark.json").write_text(f'{{"test": "{text}"}}')
    return folder


def says(folder: Path) -> str:
    return (folder / "mark.json").read_text()


def at_work(output: Path, force: str = "") -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", STAGE, str(output), force],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    return process


@pytest.mark.parametrize("force", ["", "force"])
def test_what_a_killed_run_left_goes_with_the_next(tmp_path: Path, force: str) -> None:
    output = make(tmp_path / "out") if force else tmp_path / "out"
    with at_work(output, force) as process:
        process.send_signal(signal.SIGKILL)
    assert len([name for name in names(tmp_path) if is_unfinished(name)]) == 1
    with staged_folder(output, bool(force), KIND) as folder:
        (folder / "mark.json").write_text('{"test": "next"}')
    assert names(tmp_path) == ["out"]
    assert says(output) == '{"test": "next"}'


def test_a_second_run_into_one_path_is_refused_and_the_first_ends_well(tmp_path: Path) -> None:
    output = tmp_path / "out"
    with at_work(output) as process:
        with pytest.raises(OutputError, match="another run is writing"):
            check_replaceable(output, True, KIND)
        process.communicate("")
    assert process.returncode == 0
    assert names(tmp_path) == ["out"]


def test_equal_process_ids_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of two containers that share a folder, on a file system that has no locks."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    monkeypatch.setattr(unfinished, "fcntl", None)
    with staged_folder(tmp_path / "out", False, KIND) as first:
        (first / "mark.json").write_text('{"test": "first"}')
        with (
            pytest.raises(OutputError, match="changed by somebody else"),
            staged_folder(tmp_path / "out", False, KIND) as second,
        ):
            assert first != second
            (second / "mark.json").write_text("second")
            make(tmp_path / "out", "a third one's")
        (tmp_path / "out" / "mark.json").unlink()
    assert says(tmp_path / "out") == '{"test": "first"}'
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("name", [".out.partial-4711", ".out.partial-0badcafe"])
def test_where_there_are_no_locks_nothing_is_removed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.setattr(unfinished, "fcntl", None)
    assert clear_unfinished(str(tmp_path / "out")) == []
    assert names(tmp_path) == [name]


def test_an_older_output_without_a_newer_one_comes_back(tmp_path: Path) -> None:
    make(tmp_path / ".out.replaced-4711")
    make(tmp_path / ".out.partial-4711", "new")
    with pytest.raises(OutputError, match="is not empty"):
        check_replaceable(tmp_path / "out", False, KIND)
    assert names(tmp_path) == ["out"]
    assert says(tmp_path / "out") == '{"test": "old"}'


def test_an_older_output_beside_a_newer_one_goes(tmp_path: Path) -> None:
    make(tmp_path / ".out.replaced-1f")
    make(tmp_path / "out", "new")
    clear_unfinished(str(tmp_path / "out"))
    assert names(tmp_path) == ["out"]
    assert says(tmp_path / "out") == '{"test": "new"}'


def test_only_what_belongs_to_the_output_is_touched(tmp_path: Path) -> None:
    others = [".out2.partial-1", ".other.partial-1", "out.partial-1", ".out.partial-xyz", ".out"]
    for name in others:
        (tmp_path / name).mkdir()
    (tmp_path / "precious").mkdir()
    (tmp_path / ".out.partial-2").symlink_to(tmp_path / "precious")
    clear_unfinished(str(tmp_path / "out"))
    assert names(tmp_path) == sorted([*others, "precious", ".out.partial-2"])


def test_names_are_new_and_known_again(tmp_path: Path) -> None:
    made = {unfinished_name(str(tmp_path / "a.b"), PARTIAL, ".mp4") for _ in range(50)}
    made |= {unfinished_name(str(tmp_path / "a.b"), REPLACED) for _ in range(50)}
    assert len(made) == 100
    assert {output_of(Path(name).name) for name in made} == {"a.b"}
    assert not is_unfinished("a.b") and not is_unfinished(".a.partial-")


def test_what_is_held_is_not_held_twice(tmp_path: Path) -> None:
    for path, held in (
        (tmp_path / "folder", new_folder(str(tmp_path / "folder"))),
        (tmp_path / "file", new_file(str(tmp_path / "file"))),
    ):
        with pytest.raises(HeldError):
            hold(str(path))
        release(held)
        release(hold(str(path)))


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("filled", [False, True])
def test_what_appears_during_a_run_is_kept(tmp_path: Path, force: bool, filled: bool) -> None:
    """A file of somebody's in the output, old or new, which was not there when the run began."""
    output = tmp_path / "out"
    if filled and force:
        make(output)
    elif filled:
        output.mkdir()
    with (
        pytest.raises(OutputError, match=r"changed by somebody else|holds more than a test"),
        staged_folder(output, force, KIND) as folder,
    ):
        (folder / "mark.json").write_text('{"test": "new"}')
        output.mkdir(exist_ok=True)
        (output / "thesis.tex").write_text("years of work")
    assert (output / "thesis.tex").read_text() == "years of work"
    assert names(tmp_path) == ["out"]


def test_another_folder_under_the_old_name_is_kept(tmp_path: Path) -> None:
    output = make(tmp_path / "out")
    with (
        pytest.raises(OutputError, match="changed by somebody else"),
        staged_folder(output, True, KIND) as folder,
    ):
        (folder / "mark.json").write_text('{"test": "new"}')
        output.rename(tmp_path / "elsewhere")
        make(output, "another")
    assert says(output) == '{"test": "another"}'
    assert names(tmp_path) == ["elsewhere", "out"]


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("notes.txt", "mine", "notes.txt"),
        ("deep/er/notes.txt", "mine", "deep/er/notes.txt"),
        ("mark.json", "{}", "another mark.json"),
        ("mark.json", None, "no mark.json"),
    ],
)
def test_force_replaces_its_own_kind_alone(
    tmp_path: Path, path: str, text: str | None, told: str
) -> None:
    output = make(tmp_path / "out")
    (output / "graphs").mkdir()
    (output / "graphs" / "a").touch()
    file = output / path
    file.parent.mkdir(parents=True, exist_ok=True)
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    with pytest.raises(OutputError, match="holds more than a test") as refused:
        check_replaceable(output, True, KIND)
    assert f"({told})" in str(refused.value)


def test_a_link_in_an_older_output_is_no_part_of_it(tmp_path: Path) -> None:
    output = make(tmp_path / "out")
    (tmp_path / "precious").mkdir()
    (output / "link").symlink_to(tmp_path / "precious")
    with pytest.raises(OutputError, match=r"holds more than a test \(link\)"):
        check_replaceable(output, True, KIND)


def test_left_over_pieces_do_not_make_it_another_kind(tmp_path: Path) -> None:
    output = make(tmp_path / "out")
    (output / ".bench.json.partial-1a2b").touch()
    check_replaceable(output, True, KIND)


@pytest.mark.parametrize("mounted", ["", "/below it"])
def test_a_mount_point_is_refused_before_the_work(
    mounted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sam2lite.files import mounts

    output = make(tmp_path / "out")
    point = str(output) + mounted.replace(" ", r"\040")
    (tmp_path / "mountinfo").write_text(
        f"22 1 8:1 / / rw - ext4 /dev/sda rw\n23 22 0:9 / {point} rw - tmpfs x rw\n"
        f"24 22 0:9 / {output}-not rw - tmpfs x rw\n"
    )
    monkeypatch.setattr(mounts, "_MOUNTS", str(tmp_path / "mountinfo"))
    assert mount_inside(str(output)) == str(output) + mounted
    assert mount_inside(str(tmp_path / "elsewhere")) is None
    with pytest.raises(OutputError, match="is mounted and cannot be replaced"):
        check_replaceable(output, True, KIND)


def test_real_mounts_are_read() -> None:
    assert mount_inside("/proc") == "/proc"


def test_a_cache_keeps_what_another_has_made_meanwhile(tmp_path: Path) -> None:
    with cached_folder(tmp_path / "key") as first, cached_folder(tmp_path / "key") as second:
        (first / "a").write_text("1")
        (second / "a").write_text("1")
    assert names(tmp_path) == ["key"]
    assert names(tmp_path / "key") == ["a"]


def test_a_file_takes_the_place_of_files_alone(tmp_path: Path) -> None:
    target = tmp_path / "state.npz"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    target.write_text("old")
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    kept = names(tmp_path)
    for name in ("pipe", "folder", "link", "dangling"):
        with pytest.raises(OutputError, match="give the name of a file"):
            write_atomically(str(tmp_path / name), b"new")
    with pytest.raises(OutputError, match="device, pipe or socket"):
        check_file("/dev/null", True)
    assert names(tmp_path) == kept
    assert target.read_text() == "old"
    write_atomically(str(target), b"new")
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_is_kept_without_force(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:

        def none(source: str, target: str) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", none)
    path = tmp_path / "a.json"
    with (
        pytest.raises(OutputError, match="exists; add --force"),
        replacing(str(path), False) as partial,
    ):
        Path(partial).write_text("mine")
        path.write_text("somebody else's")
    assert path.read_text() == "somebody else's"
    path.unlink()
    with replacing(str(path), False) as partial:
        Path(partial).write_text("mine")
    assert path.read_text() == "mine"
    assert names(tmp_path) == ["a.json"]


def test_a_file_that_becomes_a_pipe_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(OutputError, match="pipe"), replacing(str(path)) as partial:
        Path(partial).write_text("new")
        os.mkfifo(path)
    assert path.is_fifo()
    assert names(tmp_path) == ["a.json"]


def test_an_ended_block_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with replacing(str(path)):
        raise Unchanged
    with pytest.raises(KeyboardInterrupt), replacing(str(path)):
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.json"]


def test_pieces_of_dead_writers_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    (tmp_path / ".clip.mp4.partial-77.mp4").touch()
    with replacing(str(path), suffix=".mp4") as living:
        write_atomically(str(path), b"another's")
        assert Path(living).exists()
    assert names(tmp_path) == ["clip.mp4"]
