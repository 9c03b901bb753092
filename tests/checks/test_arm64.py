"""The parts of `make arm64-check` that need no emulator: its downloads, and what it calls alike."""

from __future__ import annotations

import hashlib
import io
import lzma
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from tests.source_tree import ROOT

sys.path.append(str(ROOT / "checks"))

from arm64 import machine as machines
from arm64.comparison import Likeness, complaint, likeness
from arm64.debian import Suite
from arm64.downloads import MissingError
from arm64.running import Command, Runner
from arm64.wheels import install


def deb(files: dict[str, bytes]) -> bytes:
    """Return a package with these files, as Debian's are built."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:xz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    members = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": raw.getvalue()}
    package = b"!<arch>\n"
    for name, content in members.items():
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        package += header + content + b"\n" * (len(content) % 2)
    return package


class Mirror:
    """A mirror in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.suite = Suite(folder.as_uri(), "trixie", "amd64")
        self._list = ""

    def add(self, name: str, depends: str, content: bytes) -> Path:
        path = self.folder / f"pool/{name}_1.deb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self._list += (
            f"Package: {name}\nDepends: {depends}\nDescription: of\n several lines\n"
            f"Filename: pool/{path.name}\nSHA256: {hashlib.sha256(content).hexdigest()}\n\n"
        )
        listed = self.folder / "dists/trixie/main/binary-amd64/Packages.xz"
        listed.parent.mkdir(parents=True, exist_ok=True)
        listed.write_bytes(lzma.compress(self._list.encode()))
        return path


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    made = Mirror(tmp_path / "mirror")
    made.add("python3.11", "libc6 (>= 2.36), absent | zlib1g:any", deb({"usr/bin/python": b"P"}))
    made.add("libc6", "", deb({"lib/libc.so": b"C"}))
    made.add("zlib1g", "libc6, debconf", deb({"lib/libz.so": b"Z"}))
    made.add("debconf", "", deb({"usr/bin/debconf": b"D"}))
    return made


def test_packages_come_with_what_they_depend_on(mirror: Mirror, tmp_path: Path) -> None:
    mirror.suite.unpack(["python3.11"], tmp_path / "root", tmp_path / "cache")
    found = {path.name for path in (tmp_path / "root").rglob("*") if path.is_file()}
    assert found == {"python", "libc.so", "libz.so"}


def test_one_file_comes_alone(mirror: Mirror, tmp_path: Path) -> None:
    mirror.suite.unpack(["zlib1g"], tmp_path / "root", tmp_path / "cache", only="lib/libz.so")
    found = [path for path in (tmp_path / "root").rglob("*") if path.is_file()]
    assert found == [tmp_path / "root/lib/libz.so"]


def test_what_is_there_already_is_not_fetched_again(mirror: Mirror, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    mirror.suite.unpack(["zlib1g"], tmp_path / "root", cache)
    for path in (mirror.folder / "pool").iterdir():
        path.unlink()
    mirror.suite.unpack(["zlib1g"], tmp_path / "again", cache)
    assert (tmp_path / "again/lib/libc.so").read_bytes() == b"C"
    (cache / "libc6_1.deb").write_bytes(b"altered")
    with pytest.raises(
        MissingError, match=r"Debian's package libc6 \(amd64, trixie\) cannot be had"
    ):
        mirror.suite.unpack(["zlib1g"], tmp_path / "third", cache)


def test_what_is_missing_is_one_sentence(mirror: Mirror, tmp_path: Path) -> None:
    folders = tmp_path / "root", tmp_path / "cache"
    gone = Suite((tmp_path / "nowhere").as_uri(), "trixie", "amd64")
    with pytest.raises(MissingError, match=r"the list of Debian trixie's amd64 packages cannot be"):
        gone.unpack(["libc6"], *folders)
    with pytest.raises(MissingError, match="Debian's package qemu-user is not in the mirror's"):
        mirror.suite.unpack(["qemu-user"], *folders)
    path = mirror.add("bad", "", deb({"a": b"A"}))
    path.write_bytes(b"another")
    with pytest.raises(MissingError, match=r"package bad \(amd64, trixie\) came damaged"):
        mirror.suite.unpack(["bad"], *folders)
    mirror.add("odd", "", b"no package")
    with pytest.raises(MissingError, match=r"package odd .* is not a package"):
        mirror.suite.unpack(["odd"], *folders)


def test_a_wheel_that_cannot_be_had_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def refused(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        said = "WARNING: Retrying\nERROR: No matching distribution found for onnxruntime==1.31.1\n"
        return subprocess.CompletedProcess(command, 1, "", said)

    monkeypatch.setattr(subprocess, "run", refused)
    with pytest.raises(MissingError, match=r"^the wheel of onnxruntime==1\.31\.1 for aarch64"):
        install(["onnxruntime", "typer"], ROOT / "requirements.lock", "3.11", tmp_path / "wheels")
    assert "--require-hashes" in asked[0]
    listed = (tmp_path / "wheels.txt").read_text()
    for name in ("onnxruntime==", "numpy==", "typer==", "rich==", "pygments=="):
        assert f"\n{name}" in f"\n{listed.lower()}"
    assert "torch==" not in listed


def test_a_folder_half_set_up_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def unpack(suite: Suite, names: list[str], part: Path, *_: object) -> None:
        made.append(part.name)
        assert not list(part.iterdir())  # nothing of the run before
        (part / "whole").touch()

    def no_wheels(*arguments: object) -> None:
        raise MissingError("the wheel of numpy cannot be had")

    monkeypatch.setattr(Suite, "unpack", unpack)
    monkeypatch.setattr(machines, "install", no_wheels)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    (tmp_path / "debian.partial").mkdir()
    (tmp_path / "debian.partial/half").touch()
    with pytest.raises(MissingError, match="numpy"):
        machines.set_up(tmp_path, "https://mirror", print)
    monkeypatch.setattr(machines, "install", lambda *arguments: None)
    machine = machines.set_up(tmp_path, "https://mirror", print)
    assert made == ["qemu.partial", "debian.partial"]
    assert {path.name for path in tmp_path.iterdir()} == {"qemu", "debian", "wheels"}
    wrapper = machine.python("cortex-a72")
    assert "-cpu cortex-a72" in wrapper.read_text()
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    with pytest.raises(MissingError, match="this is arm64"):
        machines.set_up(tmp_path, "https://mirror", print)


def test_how_alike_masks_must_be() -> None:
    one = np.zeros((20, 20), bool)
    one[4:16, 4:16] = True
    other = one.copy()
    other[4, 4:6] = False
    found = likeness([one, one, ~one & one], [one, other, ~one & one])
    assert (found.frames, found.identical) == (3, 2)
    assert found.lowest == pytest.approx(142 / 144)
    assert complaint(found, 3, True, None) == "masks are not the same"
    assert complaint(found, 4, True, None) == "3 of 4 frames"
    assert complaint(found, 3, False, None) == "IoU under 0.995"
    assert not complaint(found, 3, True, Likeness(3, 0, 0.97, 0.97))
    assert complaint(found, 3, True, Likeness(3, 0, 1.0, 1.0)).startswith("IoU under 0.9900")
    assert not complaint(Likeness(3, 3, 1.0, 1.0), 3, True, None)


def test_int8_is_held_to_its_mean_distance_as_well() -> None:
    """One frame on which INT8 takes another candidate would allow anything by the lowest IoU."""
    far = Likeness(3, 0, 0.5, 0.8)
    assert complaint(far, 3, False, Likeness(3, 0, 0.01, 0.95)).startswith("mean IoU under 0.9400")
    assert not complaint(far, 3, False, Likeness(3, 0, 0.01, 0.8))
    assert str(far) == "0 of 3 the same, IoU 0.5000, mean 0.8000"
    assert str(Likeness(3, 3, 1.0, 1.0)) == "all 3 the same"


def test_commands_run_in_forks_of_one_start(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text("import sys\nprint('said', sys.argv[1])\nsys.exit(int(sys.argv[1]))\n")
    found = list(Runner().run([Command(["0"], app), Command(["3"], app), Command(["0"], app)]))
    assert [done.code for done in found] == [0, 3, 0]
    assert [done.last for done in found] == ["said 0", "said 3", "said 0"]
    assert found[1].fault == "exit code 3: said 3"
    assert not found[0].fault
    package = list(Runner().run([Command(["--version"]), Command(["verify", str(tmp_path)])]))
    assert [done.code for done in package] == [0, 1]
    assert "manifest.json" in package[1].said
