"""The secret behind engines: made once, for its owner alone, and never believed from others."""

import os
import stat
from pathlib import Path

import pytest

from sam2lite.errors import OutputError, SessionError
from sam2lite.runtimes.backends.tensorrt.machine_secret import (
    is_sealed,
    make_secret,
    read_secret,
    seal,
    secret_path,
)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_it_is_made_once_for_its_owner_alone() -> None:
    assert read_secret() is None
    made = make_secret()
    assert len(made) == 32
    assert make_secret() == made == read_secret()
    path = Path(secret_path())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_another_folder_has_another_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make_secret()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "other"))
    assert make_secret() != first


def test_the_home_is_that_of_the_user_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    before = secret_path()
    monkeypatch.setenv("HOME", "/somewhere/else")
    assert secret_path() == before


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o620])
def test_what_others_may_read_or_write_is_refused(mode: int) -> None:
    make_secret()
    Path(secret_path()).chmod(mode)
    with pytest.raises(SessionError, match=r"others may read or write it.*delete it, or set"):
        read_secret()


def test_what_belongs_to_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    make_secret()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(SessionError, match="belongs to another user"):
        read_secret()


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_another_length_is_refused(content: bytes) -> None:
    make_secret()
    Path(secret_path()).write_bytes(content)
    with pytest.raises(SessionError, match="bytes and not 32"):
        make_secret()


def test_links_and_pipes_are_not_read(tmp_path: Path) -> None:
    make_secret()
    path = Path(secret_path())
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SessionError, match="cannot be used"):
        read_secret()
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(SessionError, match="no regular file"):
        read_secret()


def test_a_folder_that_cannot_be_written_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="set XDG_CONFIG_HOME to a folder that you may write"):
        make_secret()


def test_a_seal_is_of_these_bytes_and_this_secret() -> None:
    said = seal(b"s" * 32, b"what")
    assert is_sealed(b"s" * 32, b"what", said)
    assert not is_sealed(b"s" * 32, b"what else", said)
    assert not is_sealed(b"t" * 32, b"what", said)
    assert not is_sealed(b"s" * 32, b"what", "\u00e9")
