"""A Core ML package's own list of parts: nothing in it leads out of the package."""

import json
from pathlib import Path
from typing import Any

import pytest

from sam2lite.errors import BundleError
from sam2lite.runtimes.backends.coreml.package_check import check_package

MODEL = "com.apple.CoreML/model.mlmodel"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "p.mlpackage"
    (path / "Data" / "com.apple.CoreML" / "weights").mkdir(parents=True)
    (path / "Data" / MODEL).write_bytes(b"model")
    (tmp_path / "evil.mlmodel").write_bytes(b"evil")
    write(path, {"1": {"path": MODEL}, "2": {"path": "com.apple.CoreML/weights"}})
    return path


def write(package: Path, items: Any, root: Any = "1") -> None:
    data = {"fileFormatVersion": "1.0.0", "itemInfoEntries": items, "rootModelIdentifier": root}
    (package / "Manifest.json").write_text(json.dumps(data))


def test_its_model_is_found(package: Path) -> None:
    assert check_package(str(package)) == str(package / "Data" / MODEL)


@pytest.mark.parametrize(
    "path",
    [
        "../../evil.mlmodel",
        "/etc/passwd",
        "com.apple.CoreML/../../../evil.mlmodel",
        "com.apple.CoreML/../../../p.mlpackage/Data/com.apple.CoreML/model.mlmodel",
        "",
        "gone",
        "a\0b",
        5,
        None,
        ["a"],
    ],
)
@pytest.mark.parametrize("item", ["1", "2"])
def test_every_other_path_is_refused(package: Path, path: Any, item: str) -> None:
    write(package, {"1": {"path": MODEL}, "2": {"path": MODEL}, item: {"path": path}})
    with pytest.raises(BundleError):
        check_package(str(package))


@pytest.mark.parametrize(
    ("items", "root"), [({}, "1"), ({"2": {"path": MODEL}}, "1"), ([], "1"), ({"1": {}}, "1")]
)
def test_there_must_be_a_model(package: Path, items: Any, root: str) -> None:
    write(package, items, root)
    with pytest.raises(BundleError):
        check_package(str(package))


@pytest.mark.parametrize("link", ["Data", f"Data/{MODEL}", "Manifest.json"])
def test_no_part_is_a_link(package: Path, link: str) -> None:
    outside = (package / link).rename(package.parent / "outside")
    (package / link).symlink_to(outside)
    with pytest.raises(BundleError, match="is a link"):
        check_package(str(package))


def test_a_folder_is_no_model(package: Path) -> None:
    write(package, {"1": {"path": "com.apple.CoreML/weights"}})
    with pytest.raises(BundleError, match="which file is its model"):
        check_package(str(package))
