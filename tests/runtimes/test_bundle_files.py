"""The files behind a manifest: only regular ones, inside the bundle, each read once."""

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sam2lite.errors import BundleError
from sam2lite.files.file_hash import file_sha256
from sam2lite.runtimes import bundle_files
from sam2lite.runtimes.bundle import open_bundle, read_manifest
from sam2lite.runtimes.bundle_files import check_folder

WEIGHTS = "graphs/weights.bin"


@pytest.fixture
def bundle(mini_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(mini_bundle, tmp_path / "b"))


def edit(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = bundle / "manifest.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def linked(path: Path) -> None:
    path.symlink_to("/dev/zero")


def bound(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the path of a socket may have a hundred bytes
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


@pytest.mark.parametrize("put", [os.mkfifo, os.mkdir, linked, bound])
@pytest.mark.parametrize("name", [WEIGHTS, "graphs/memory_select.onnx", "manifest.json"])
def test_only_regular_files_are_read(bundle: Path, put: Callable[[Path], None], name: str) -> None:
    (bundle / name).unlink()
    put(bundle / name)
    with pytest.raises(BundleError, match=r"is no regular file|is a link|cannot read"):
        open_bundle(str(bundle))


def test_a_link_to_a_folder_leads_nowhere(bundle: Path) -> None:
    (bundle / "graphs").rename(bundle.parent / "elsewhere")
    (bundle / "graphs").symlink_to(bundle.parent / "elsewhere")
    with pytest.raises(BundleError, match="'graphs' is a link"):
        open_bundle(str(bundle))


def test_the_bundle_itself_may_be_a_link(bundle: Path) -> None:
    (bundle.parent / "link").symlink_to(bundle)
    assert open_bundle(str(bundle.parent / "link")).manifest.rungs == (240,)


@pytest.mark.parametrize("size", [(4 << 30) + 1, 64 << 30])
def test_a_file_that_only_claims_to_be_large_is_not_read(bundle: Path, size: int) -> None:
    os.truncate(bundle / WEIGHTS, size)
    edit(bundle, lambda data: data["files"][WEIGHTS].update(bytes=size))
    with pytest.raises(BundleError, match="bytes"):
        open_bundle(str(bundle))


def test_a_manifest_that_is_too_large_is_not_read(bundle: Path) -> None:
    os.truncate(bundle / "manifest.json", 400 << 20)
    with pytest.raises(BundleError, match="has 419430400 bytes, and more than 4194304 are not"):
        read_manifest(str(bundle))


def test_a_file_of_several_names_is_hashed_once(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = json.loads((bundle / "manifest.json").read_text())
    for number in range(100):
        os.link(bundle / WEIGHTS, bundle / f"w{number}")
        data["files"][f"w{number}"] = data["files"][WEIGHTS]
    (bundle / "manifest.json").write_text(json.dumps(data))
    read: list[str] = []

    def hashed(path: str) -> str:
        read.append(path)
        return file_sha256(path)

    monkeypatch.setattr(bundle_files, "file_sha256", hashed)
    open_bundle(str(bundle))
    assert len(read) == len(data["files"]) - 100


def test_graphs_that_no_frame_uses_are_refused(bundle: Path) -> None:
    outside = bundle.parent / "evil.onnx"
    outside.write_bytes(b"evil")
    entry = {"sha256": hashlib.sha256(b"evil").hexdigest(), "bytes": 4}
    shutil.copy(outside, bundle / "graphs")

    def add(data: dict[str, Any]) -> None:
        data["files"]["graphs/evil.onnx"] = entry
        graph = data["graphs"]["memory_select"]
        data["graphs"]["zzz"] = {**graph, "name": "zzz", "file": "graphs/evil.onnx"}

    edit(bundle, add)
    with pytest.raises(BundleError, match="holds graphs that SAM2-Lite does not have: zzz"):
        open_bundle(str(bundle))


@pytest.mark.parametrize("side", ["R", "H16", "H4"])
def test_sides_are_those_of_the_family(bundle: Path, side: str) -> None:
    edit(bundle, lambda data: data["dims"]["240"].update({side: 16}))
    with pytest.raises(BundleError, match=f"the manifest's {side} is not"):
        open_bundle(str(bundle))


def test_a_package_holds_what_is_listed_and_nothing_else(bundle: Path) -> None:
    package = bundle / "p.mlpackage" / "Data"
    package.mkdir(parents=True)
    (package / "a").write_bytes(b"a")
    edit(bundle, lambda data: data["files"].update({"p.mlpackage/Data/a": data["files"][WEIGHTS]}))
    manifest, _ = read_manifest(str(bundle))
    check_folder(str(bundle), manifest, "p.mlpackage")
    (package / "empty").mkdir()
    check_folder(str(bundle), manifest, "p.mlpackage")
    (package / "empty" / "b").write_bytes(b"b")
    with pytest.raises(BundleError, match=r"p\.mlpackage/Data/empty/b is in a package, and"):
        check_folder(str(bundle), manifest, "p.mlpackage")
    shutil.rmtree(package / "empty")
    (package / "empty").symlink_to("/")
    with pytest.raises(BundleError, match="is a link"):
        check_folder(str(bundle), manifest, "p.mlpackage")
