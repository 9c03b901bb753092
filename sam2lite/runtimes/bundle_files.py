"""The files of a bundle: there, regular, inside its folder, and what the manifest says they are."""

import os
from typing import Dict, Iterable, Optional, Tuple

from sam2lite.contracts.manifest import Manifest
from sam2lite.contracts.manifest_fields import MAX_FILES
from sam2lite.errors import BundleError
from sam2lite.files.file_hash import file_sha256
from sam2lite.files.names import inside, is_regular
from sam2lite.files.reading import printable


def check_files(path: str, manifest: Manifest, names: Optional[Iterable[str]] = None) -> None:
    """Compare files with the manifest: their kind, then their size, then their hash.

    A file that has several names is read once.

    Args:
        path: of the bundle.
        manifest: of the bundle.
        names: of the files to look at; all if not given.

    Raises:
        BundleError: one is missing, is not listed, is no regular file, is reached over a link, or
            differs.
    """
    hashes: Dict[Tuple[int, int], str] = {}
    for name in sorted(manifest.files if names is None else names):
        entry = manifest.files.get(name)
        if entry is None:
            raise BundleError(
                "{}: the manifest does not list {}; export the bundle again".format(
                    path, printable(name)
                )
            )
        full = inside(path, name, BundleError)
        if not os.path.lexists(full):
            raise BundleError(
                "{}: the file {} is missing; copy the bundle again".format(path, name)
            )
        if not is_regular(full):
            raise BundleError("{}: {} is no regular file; copy the bundle again".format(path, name))
        try:
            status = os.stat(full)
            if status.st_size != entry.bytes:
                raise BundleError(
                    "{}: {} has {} bytes, the manifest says {}; copy the bundle again".format(
                        path, name, status.st_size, entry.bytes
                    )
                )
            file = (status.st_dev, status.st_ino)
            if file not in hashes:
                hashes[file] = file_sha256(full)
        except OSError as error:
            raise BundleError(
                "{}: cannot read {}: {}; copy the bundle again".format(path, name, error.strerror)
            ) from None
        if hashes[file] != entry.sha256:
            raise BundleError(
                "{}: {} was changed since it was exported (its SHA-256 differs from the "
                "manifest's); copy or export the bundle again".format(path, name)
            )


def check_folder(path: str, manifest: Manifest, folder: str) -> None:
    """Refuse a folder of a bundle, such as a package, that holds what the manifest does not list.

    Raises:
        BundleError: there is such a file, or a link.
    """
    waiting, seen = [folder], 0
    while waiting:
        name = waiting.pop()
        try:
            found = sorted(os.listdir(inside(path, name, BundleError)))
        except OSError as error:
            raise BundleError(
                "{}: cannot read the folder {}: {}; copy the bundle again".format(
                    path, name, error.strerror
                )
            ) from None
        seen += len(found)
        for part in found if seen <= MAX_FILES else found[:1]:
            within = name + "/" + part
            if within in manifest.files:
                continue
            full = inside(path, within, BundleError)
            if seen > MAX_FILES or not os.path.isdir(full):
                raise BundleError(
                    "{}: {} is in a package, and the manifest does not list it; delete it, or copy "
                    "the bundle again".format(path, printable(within))
                )
            waiting.append(within)
