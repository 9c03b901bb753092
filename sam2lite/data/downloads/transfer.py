"""One file from its server: gone on with where it stopped, and named only when it is whole."""

import re
import urllib.error
import urllib.request
from collections.abc import Callable
from enum import StrEnum
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from threading import Event
from typing import NamedTuple

from sam2lite import __version__
from sam2lite.data.downloads.links import Link
from sam2lite.data.downloads.partial_file import PartialFile, ServerFacts, fault_of, partial_file
from sam2lite.errors import DownloadError

_TRIES = 4
_FIRST_WAIT_S = 1.0  # doubled from try to try
_SILENCE_S = 30.0  # after which a server is taken for dead
_PIECE_BYTES = 1 << 20
_TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_PARTIAL_CONTENT, _RANGE_NOT_SATISFIABLE = 206, 416


class State(StrEnum):
    """What became of a file."""

    DOWNLOADED = "downloaded"
    PRESENT = "present"
    FAILED = "failed"


class Outcome(NamedTuple):
    """What became of a link.

    Attributes:
        link: the link.
        state: of its file.
        came_bytes: how much was fetched now.
        remark: why it failed, or what could not be checked.
    """

    link: Link
    state: State
    came_bytes: int
    remark: str = ""


class _TryAgainError(Exception):
    """A server that may do better the next time, or a file that changed there meanwhile."""


class _StoppedError(Exception):
    """The user wants no more."""


def fetch(link: Link, folder: Path, stop: Event, tell: Callable[[int], None]) -> Outcome:
    """Fetch a file, unless it is there; nothing is raised.

    Args:
        link: of the file.
        folder: that it comes to.
        stop: set when it is to be left as it is.
        tell: is given the size of every piece that came, bytes.
    """
    came = 0

    def count(size: int) -> None:
        nonlocal came
        came += size
        tell(size)

    target = folder / link.name
    try:
        if target.exists():
            fault = fault_of(target, link)
            if not fault:
                return Outcome(link, State.PRESENT, 0)
            remark = f"it is there, but {fault}; remove it to fetch it again"
            return Outcome(link, State.FAILED, 0, remark)
        with partial_file(target) as part:
            remark = _fetch_patiently(link, part, target, stop, count)
        return Outcome(link, State.DOWNLOADED, came, remark)
    except DownloadError as error:
        return Outcome(link, State.FAILED, came, str(error))
    except _StoppedError:
        return Outcome(link, State.FAILED, came, "it was interrupted")
    except OSError as error:
        return Outcome(link, State.FAILED, came, f"it cannot be read: {error.strerror or error}")


def _fetch_patiently(
    link: Link, part: PartialFile, target: Path, stop: Event, tell: Callable[[int], None]
) -> str:
    """Fetch a file in a few tries, check it and name it; return what could not be checked."""
    wait_s = _FIRST_WAIT_S
    for left in reversed(range(_TRIES)):
        try:
            facts = _fetch_once(link, part, stop, tell)
            break
        except _TryAgainError as error:
            if not left:
                raise DownloadError(f"{error}; {part.size} bytes have come") from None
        if stop.wait(wait_s):
            raise _StoppedError
        wait_s *= 2
    fault = fault_of(part.path, link)
    if fault:
        part.start_over(None)
        raise DownloadError(f"it came damaged or changed: {fault}; it was thrown away")
    part.finish(target)
    is_checked = facts.size is not None or link.size is not None or link.digest is not None
    return "" if is_checked else "nobody says how large it is, so it may have been cut short"


def _fetch_once(
    link: Link, part: PartialFile, stop: Event, tell: Callable[[int], None]
) -> ServerFacts:
    """Ask for what is missing and append it; return what the server says of the whole file."""
    known = part.facts()
    if known is None or (known.validator is None and known.size is None):
        part.start_over(None)
        known = None
    if known is not None and part.size == known.size:
        return known  # all of it came before; only its name is missing
    try:
        with _open(link, part.size, known) as response:
            facts = _accept(response, link, part, known)
            while piece := response.read(_PIECE_BYTES):
                part.append(piece)
                tell(len(piece))
                if stop.is_set():
                    raise _StoppedError
    except urllib.error.HTTPError as error:
        error.close()
        raise _refusal(error, part) from None
    except urllib.error.URLError as error:
        raise _TryAgainError(f"the server cannot be reached: {error.reason}") from None
    except (HTTPException, OSError, ValueError) as error:
        raise _TryAgainError(f"the connection broke: {error or type(error).__name__}") from None
    if facts.size is not None and part.size < facts.size:
        raise _TryAgainError(f"the server stopped short of {facts.size} bytes")
    if facts.size is not None and part.size > facts.size:
        part.start_over(None)
        raise _TryAgainError(f"the server sent more than the {facts.size} bytes that it announced")
    return facts


def _open(link: Link, have: int, known: ServerFacts | None) -> HTTPResponse:
    headers = {"User-Agent": f"sam2lite/{__version__}", "Accept-Encoding": "identity"}
    if have and known is not None:
        headers["Range"] = f"bytes={have}-"
        if known.validator is not None:
            headers["If-Range"] = known.validator
    request = urllib.request.Request(link.url, headers=headers)
    opener = urllib.request.OpenerDirector()
    # Without those for files and FTP, which a redirection could lead to.
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    response: HTTPResponse = opener.open(request, timeout=_SILENCE_S)
    return response


def _accept(
    response: HTTPResponse, link: Link, part: PartialFile, known: ServerFacts | None
) -> ServerFacts:
    """Make sure that what comes fits behind what is there, or start over; return the facts."""
    first, facts = _described(response)
    if link.size is not None and facts.size is not None and link.size != facts.size:
        raise DownloadError(
            f"the server has {facts.size} bytes, and the list says {link.size}; it was changed: "
            "get a new list"
        )
    if response.status != _PARTIAL_CONTENT:
        part.start_over(facts)
        return facts
    if known is None or first != part.size or not facts.same_as(known):
        part.start_over(None)
        raise _TryAgainError("it was changed on the server, and is fetched anew")
    return ServerFacts(known.size if facts.size is None else facts.size, known.etag, known.modified)


def _described(response: HTTPResponse) -> tuple[int, ServerFacts]:
    """Return where the body begins in the file, and what the server says of the whole file."""
    etag = response.headers.get("ETag")
    strong = None if etag is None or etag.startswith("W/") else etag
    modified = response.headers.get("Last-Modified")
    if response.status == _PARTIAL_CONTENT:
        found = re.fullmatch(
            r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip()
        )
        if found is None:
            return -1, ServerFacts(None, strong, modified)
        size = None if found.group(2) == "*" else int(found.group(2))
        return int(found.group(1)), ServerFacts(size, strong, modified)
    length = response.headers.get("Content-Length", "")
    return 0, ServerFacts(int(length) if length.isdecimal() else None, strong, modified)


def _refusal(error: urllib.error.HTTPError, part: PartialFile) -> Exception:
    reason = f"the server says {error.code} {error.reason}"
    if error.code == _RANGE_NOT_SATISFIABLE:
        part.start_over(None)
        return _TryAgainError("it was changed on the server, and is fetched anew")
    if error.code in _TRY_AGAIN:
        return _TryAgainError(reason)
    return DownloadError(f"{reason}; the link is dead or has expired: get a new list")
