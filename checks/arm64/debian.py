"""Packages of Debian, unpacked into a folder: no root, no apt, no dpkg.

The lists come over TLS from the mirror, and every package is checked against the SHA-256 in them.
"""

from __future__ import annotations

import io
import lzma
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from arm64.downloads import MissingError, checked, fetched, is_whole, put

MIRROR = "https://deb.debian.org/debian"
# What only asks questions while packages are installed, with the Perl that it is written in.
_NOT_UNPACKED = frozenset({"debconf", "perl-base"})
_MAGIC = b"!<arch>\n"
_HEADER_BYTES = 60


@dataclass(frozen=True)
class Suite:
    """A release for one architecture.

    Attributes:
        mirror: the address of Debian's archive.
        name: of the release.
        architecture: as Debian calls it.
    """

    mirror: str
    name: str
    architecture: str

    def packages(self) -> dict[str, dict[str, str]]:
        """Return the fields of every package of `main` by name.

        The list is not kept: one of last month names packages that the mirror has no more.

        Raises:
            MissingError: the list cannot be had.
        """
        what = f"the list of Debian {self.name}'s {self.architecture} packages"
        place = f"dists/{self.name}/main/binary-{self.architecture}/Packages.xz"
        content = fetched(f"{self.mirror}/{place}", what)
        try:
            text = lzma.decompress(content).decode()
        except (lzma.LZMAError, UnicodeDecodeError) as error:
            raise MissingError(f"{what} came damaged: {error}") from error
        return dict(_stanzas(text))

    def unpack(
        self, names: Iterable[str], root: Path, cache: Path, only: str | None = None
    ) -> None:
        """Unpack packages, and those that they depend on, into a folder.

        Args:
            names: of the packages.
            root: the folder.
            cache: where packages are kept.
            only: the one file that is wanted, if it is one that needs no others; then what the
                packages depend on is left out.

        Raises:
            MissingError: one of them cannot be had.
        """
        known = self.packages()
        for name in _with_dependencies(names, known, alone=only is not None):
            fields = known[name]
            what = f"Debian's package {name} ({self.architecture}, {self.name})"
            kept = cache / Path(fields["Filename"]).name
            if not is_whole(kept, fields["SHA256"]):
                content = fetched(f"{self.mirror}/{fields['Filename']}", what)
                put(kept, checked(content, fields["SHA256"], what))
            _unpack(kept.read_bytes(), root, what, only)


def _stanzas(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    for stanza in text.split("\n\n"):
        lines = (line.partition(": ") for line in stanza.splitlines() if line[:1] != " ")
        fields = {key: value for key, _, value in lines}
        if "Package" in fields:
            yield fields["Package"], fields


def _with_dependencies(
    names: Iterable[str], known: dict[str, dict[str, str]], alone: bool
) -> list[str]:
    """Return the names, and what they depend on; of alternatives the first that there is.

    Raises:
        MissingError: the release does not have one of the names.
    """
    waiting, chosen = list(names), list[str]()
    for name in waiting:
        if name not in known:
            raise MissingError(f"Debian's package {name} is not in the mirror's list")
    if alone:
        return waiting
    while waiting:
        name = waiting.pop()
        if name in chosen or name in _NOT_UNPACKED:
            continue
        chosen.append(name)
        fields = known[name]
        wanted = [fields.get("Depends", ""), fields.get("Pre-Depends", "")]
        for need in ", ".join(wanted).split(","):
            choices = [choice.split("(")[0].split(":")[0].strip() for choice in need.split("|")]
            waiting += [choice for choice in choices if choice in known][:1]
    return chosen


def _unpack(package: bytes, root: Path, what: str, only: str | None) -> None:
    """Unpack the files of a `.deb`, which is an `ar` archive with a tar in it."""
    place = len(_MAGIC)
    while package.startswith(_MAGIC) and place < len(package):
        header = package[place : place + _HEADER_BYTES]
        name, size = header[:16].decode().strip(" /"), int(header[48:58])
        place += _HEADER_BYTES
        if name.startswith("data.tar"):
            with tarfile.open(fileobj=io.BytesIO(package[place : place + size])) as files:
                wanted = [file for file in files if only in (None, file.name.removeprefix("./"))]
                files.extractall(root, wanted, filter="tar")
            return
        place += size + size % 2
    raise MissingError(f"{what} is not a package: it has no files in it")
