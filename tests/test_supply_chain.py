"""The lock and the bills of materials say what is installed and shipped."""

import hashlib
import re
import runpy
import tomllib
import zipfile
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sam2lite.exporter.bundle.device_app import write_device_app

ROOT = Path(__file__).parent.parent
SBOM = runpy.run_path(str(ROOT / "checks" / "sbom.py"))
OPTIONAL, PACKAGE, requirements = SBOM["OPTIONAL"], SBOM["PACKAGE"], SBOM["requirements"]
LOCK = (ROOT / "requirements.lock").read_text()
CONSTRAINTS = (ROOT / "constraints.txt").read_text()


def pinned(text: str) -> dict[str, str]:
    lines = re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


def test_the_lock_is_the_constraints_with_hashes_but_for_pytorch() -> None:
    wanted = pinned(CONSTRAINTS)
    assert wanted.pop("torch") == "2.13.0"
    assert pinned(LOCK) == wanted
    hashes = SBOM["locked_hashes"](LOCK)
    assert set(hashes) == set(wanted)
    assert all(hashes.values())


def test_what_is_locked_is_what_the_package_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    locked = pinned(CONSTRAINTS)
    for text in [
        *project["dependencies"],
        *extras["dev"],
        *(r for e in OPTIONAL for r in extras[e]),
    ]:
        needed = Requirement(text)
        if needed.name != PACKAGE:
            assert needed.specifier.contains(locked[canonicalize_name(needed.name)]), text
    (onnxruntime,) = [Requirement(r) for r in project["dependencies"] if "onnxruntime" in r]
    assert not onnxruntime.specifier.contains("1.27.0")


def test_base_requirements_are_few_and_extras_are_added() -> None:
    base = set(requirements(PACKAGE, ()))
    assert base == {"numpy", "onnxruntime", "opencv-python-headless", "typer"}
    assert {"torch", "onnx", "coremltools"} <= set(requirements(PACKAGE, OPTIONAL))


def test_the_bill_of_device_pyz_lists_every_file(tmp_path: Path) -> None:
    path = tmp_path / "device.pyz"
    write_device_app(path)
    bill = SBOM["archive_bill"](path)
    with zipfile.ZipFile(path) as archive:
        expected = {
            name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()
        }
    listed = {each.name: next(iter(each.hashes)).content for each in bill.components}
    assert listed == expected
    assert bill.serial_number == SBOM["archive_bill"](path).serial_number
