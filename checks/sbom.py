"""Software bills of materials for the wheel and for device.pyz, as CycloneDX: `make sbom`.

    .venv/bin/python checks/sbom.py --output dist

Of the wheel: the packages that it requires, with their optional ones, in the versions that are
locked and with the hashes of the lock. Of device.pyz: its files, since it brings no package; what
it runs on (Python, NumPy, OpenCV, TensorRT or ONNX Runtime) is the board's. The same sources give
the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import LicenseAcknowledgement
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sam2lite import __version__
from sam2lite.exporter.bundle.device_app import DEVICE_APP, write_device_app
from sam2lite.runtimes.commands.children import environment, running_module

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"
PACKAGE = "sam2lite"
OPTIONAL = ("video", "export", "data", "plots", "coreml")  # extras that users install


def main(arguments: list[str]) -> None:
    """Write both bills, and what they are of, into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="a folder")
    folder: Path = parser.parse_args(arguments).output
    folder.mkdir(parents=True, exist_ok=True)
    build = [*running_module("build"), "--wheel", "--no-isolation", "-o", str(folder), str(ROOT)]
    subprocess.run(build, check=True, env=environment(), stdout=subprocess.DEVNULL)
    wheel = next(folder.glob(f"{PACKAGE}-{__version__}-*.whl"))
    _write(wheel_bill(wheel), folder / f"{wheel.name}.cdx.json")
    app = folder / DEVICE_APP
    write_device_app(app)
    _write(archive_bill(app), folder / f"{app.name}.cdx.json")


def wheel_bill(wheel: Path) -> Bom:
    """Return the bill of a wheel: what it requires, in the versions of this environment."""
    hashes = locked_hashes(LOCK.read_text(encoding="utf-8"))
    required = set(requirements(PACKAGE, ()))
    components: dict[str, Component] = {}
    edges: dict[str, list[str]] = {}
    waiting = [*required, *requirements(PACKAGE, OPTIONAL)]
    while waiting:
        name = waiting.pop()
        if name in components or name == PACKAGE:
            continue
        edges[name] = list(requirements(name, ()))
        waiting += edges[name]
        components[name] = _package(name, hashes.get(name, []))
    base = _closure(required, edges)
    for name, component in components.items():
        component.scope = ComponentScope.REQUIRED if name in base else ComponentScope.OPTIONAL
    whole = _whole(wheel, ComponentType.LIBRARY, PackageURL("pypi", None, PACKAGE, __version__))
    bill = _bill(whole, list(components.values()))
    bill.register_dependency(whole, [components[name] for name in sorted(required)])
    for name, needs in edges.items():
        bill.register_dependency(components[name], [components[need] for need in needs])
    return bill


def archive_bill(archive: Path) -> Bom:
    """Return the bill of a zip application: its files."""
    with zipfile.ZipFile(archive) as opened:
        files = [
            Component(
                name=name,
                type=ComponentType.FILE,
                bom_ref=name,
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=_sha256(opened.read(name)))],
            )
            for name in opened.namelist()
        ]
    whole = _whole(archive, ComponentType.APPLICATION, None)
    bill = _bill(whole, files)
    bill.register_dependency(whole, files)
    return bill


def requirements(distribution: str, extras: tuple[str, ...]) -> Iterator[str]:
    """Yield the canonical names of what a distribution requires here, with some of its extras."""
    for text in metadata.requires(distribution) or []:
        needed = Requirement(text)
        if needed.name == PACKAGE:
            continue  # extras of ours that name others of ours; all of them are listed
        wanted = any(
            needed.marker is None or needed.marker.evaluate({"extra": extra})
            for extra in ("", *extras)
        )
        if wanted:
            yield canonicalize_name(needed.name)


def locked_hashes(text: str) -> dict[str, list[str]]:
    """Return the SHA-256 of the files of every package in a lock, by canonical name."""
    found: dict[str, list[str]] = {}
    for block in re.split(r"\n(?=\S)", text):
        name, pinned, _ = block.partition("==")
        if pinned and not name.startswith("#"):
            found[canonicalize_name(name)] = re.findall(r"--hash=sha256:([0-9a-f]{64})", block)
    return found


def _closure(names: set[str], edges: dict[str, list[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += edges.get(name, [])
    return found


def _package(name: str, hashes: list[str]) -> Component:
    about = metadata.metadata(name)
    version = metadata.version(name).partition("+")[0]  # not which build of it is installed here
    classified = [each for each in about.get_all("Classifier", []) if each.startswith("License ::")]
    told = about.get_all("License-Expression") or about.get_all("License") or classified or [""]
    licence = told[0].rpartition(" :: ")[2].strip().split("\n")[0]  # some put the whole text there
    purl = PackageURL("pypi", None, name, version)
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=str(purl),
        licenses=[
            LicenseFactory().make_from_string(
                licence, license_acknowledgement=LicenseAcknowledgement.DECLARED
            )
        ]
        if licence
        else [],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each) for each in hashes],
    )


def _whole(path: Path, kind: ComponentType, purl: PackageURL | None) -> Component:
    return Component(
        name=PACKAGE if purl else path.name,
        version=__version__,
        type=kind,
        purl=purl,
        bom_ref=path.name,
        licenses=[LicenseFactory().make_from_string("Apache-2.0")],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=_sha256(path.read_bytes()))],
    )


def _bill(whole: Component, components: list[Component]) -> Bom:
    bill = Bom(metadata=BomMetaData(component=whole), components=components)
    # The library's own are random and of now; the same sources are to give the same bill.
    digest = "".join(sorted(str(each.content) for each in whole.hashes))
    bill.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, digest)
    return bill


def _write(bill: Bom, path: Path) -> None:
    bill.metadata.timestamp = None  # type: ignore[assignment]  # optional in the format
    text = JsonV1Dot6(bill).output_as_string(indent=1)
    path.write_text(text + "\n", encoding="utf-8")
    print(f"{path}: {len(bill.components)} components")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    main(sys.argv[1:])
