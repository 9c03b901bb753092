"""Lists of links as Meta hands them out for SA-1B and SA-V: a name, a tab, an address."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sam2lite.contracts.arguments import shown
from sam2lite.data.datasets.json_files import inner_path
from sam2lite.errors import DownloadError
from sam2lite.files.reading import MEBIBYTE, read_bytes

PARTIAL = ".part"  # of files that have not come whole
_HEADER = "file_name"
_DIGESTS = {32: "md5", 40: "sha1", 64: "sha256"}  # by how many hexadecimal digits they have
_FORM = (
    "each line has a name, a tab and an address of http or https, and may have a size in bytes and "
    "an MD5, SHA-1 or SHA-256 in further columns"
)


@dataclass(frozen=True)
class Link:
    """A file to be fetched.

    Attributes:
        name: of the file, relative to the folder that it comes to.
        url: where it is; such addresses are often signed, so they are never shown.
        size: that it must have, bytes; None if the list does not say.
        digest: that it must have: the algorithm and hexadecimal digits; None likewise.
    """

    name: str
    url: str
    size: int | None = None
    digest: tuple[str, str] | None = None


def read_links(path: Path) -> list[Link]:
    """Read a list of links; a first line of headings and empty lines are passed over.

    Raises:
        DownloadError: it cannot be read, a line is malformed, or a name comes twice.
    """
    raw = read_bytes(str(path), 16 * MEBIBYTE, DownloadError, f"give a text file: {_FORM}")
    try:
        lines = raw.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DownloadError(f"'{path}' is no text in UTF-8; give a text file: {_FORM}") from None
    links: dict[str, Link] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or (not links and line.startswith(_HEADER)):
            continue
        try:
            link = _link(line)
        except ValueError as error:
            raise DownloadError(
                f"line {number} of '{path}' is malformed: {error}; {_FORM}"
            ) from None
        if link.name in links:
            raise DownloadError(
                f"line {number} of '{path}' has the name {shown(link.name)} a second time; take "
                "one of the two out"
            )
        links[link.name] = link
    if not links:
        raise DownloadError(f"'{path}' has no links; {_FORM}")
    return list(links.values())


def _link(line: str) -> Link:
    """Raise ValueError unless a line is a link."""
    name, *columns = (column.strip() for column in line.split("\t"))
    if not columns:
        raise ValueError(f"{shown(name)} has no tab and no address")
    inner_path(name)
    if name.endswith(PARTIAL):
        raise ValueError(f"the name {shown(name)} is that of an unfinished file")
    url, *facts = columns
    address = urlsplit(url)
    # Reading the port sees that it is one.
    is_address = url.isascii() and url.isprintable() and " " not in url and address.port != 0
    if address.scheme not in ("http", "https") or not address.hostname or not is_address:
        raise ValueError(f"the address of {shown(name)} is none of http or https")
    size, digest = None, None
    for fact in filter(None, facts):
        if re.fullmatch("[0-9]{1,18}", fact):
            size = int(fact)
        elif len(fact) in _DIGESTS and re.fullmatch("[0-9a-fA-F]+", fact):
            digest = (_DIGESTS[len(fact)], fact.lower())
        else:
            raise ValueError(f"{shown(fact)} is neither a size nor a checksum")
    return Link(name, url, size, digest)
