"""A site of a small network, and a runtime that stands for onnxruntime-web's files."""

import hashlib
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from sam2lite.exporter.web import runtime_files
from sam2lite.exporter.web.runtime_files import FILES, RuntimeFile


def pack(archive: Path, files: dict[str, bytes], folder: str = "package/dist") -> Path:
    """Write an archive as npm does."""
    with tarfile.open(archive, "w:gz") as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            packed.addfile(member, BytesIO(content))
    return archive


@pytest.fixture
def contents(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Small files that are taken for those of the runtime."""
    made = {name: f"// {name}\n".encode() for name in FILES}
    known = {
        name: RuntimeFile(len(content), hashlib.sha256(content).hexdigest())
        for name, content in made.items()
    }
    monkeypatch.setattr(runtime_files, "FILES", known)
    return made


@pytest.fixture
def archive(contents: dict[str, bytes], tmp_path: Path) -> Path:
    return pack(tmp_path / "runtime.tgz", contents)
