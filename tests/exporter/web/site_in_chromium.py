"""A site in a headless Chromium, used as a person would: files chosen, objects clicked on."""

import functools
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.chromium import Page

_STATUS = "document.getElementById('status')"


class _Quiet(SimpleHTTPRequestHandler):
    """Python's own static server, which is what docs tell to start."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder as `python -m http.server` does; give its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def open_site(page: Page, url: str, seconds: float = 120.0) -> None:
    """Go to a site, and wait until it can be used."""
    page.open(url)
    page.wait(f"{_STATUS}?.className === 'ready'", seconds)


def choose(page: Page, files: Sequence[Path]) -> None:
    """Choose files, and wait until the first frame is shown."""
    root = page.call("DOM.getDocument")["root"]["nodeId"]
    node = page.call("DOM.querySelector", nodeId=root, selector="#chosen")["nodeId"]
    page.call("DOM.setFileInputFiles", files=[str(file) for file in files], nodeId=node)
    page.wait(f"{_STATUS}.className === 'paused'", 60.0)


def click(page: Page, x: int, y: int, objects: int, modifiers: int = 0) -> None:
    """Click on a pixel of the picture, and wait until so many objects are followed."""
    width, height = page.run("[picture.width, picture.height]")
    page.run("picture.scrollIntoView({block: 'center', behavior: 'instant'})")
    place = page.place("#picture", (x + 0.5) / width, (y + 0.5) / height)
    page.click(*place, modifiers=modifiers)
    page.wait(
        "[...document.querySelectorAll('#objects .remove')].filter((each) => !each.hidden)"
        f".length === {objects}",
        60.0,
    )


def play(page: Page, seconds: float = 300.0) -> None:
    """Play what was chosen to its end."""
    page.run("document.getElementById('play').click()")
    page.wait(f"{_STATUS}.textContent === 'ended'", seconds)


def download(page: Page, folder: Path) -> Any:
    """Download the results, and return them."""
    page.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    page.run("document.getElementById('download').click()")
    path = folder / "results.json"
    until_s = time.monotonic() + 20.0
    while not path.exists():
        assert time.monotonic() < until_s, "no results came"
        time.sleep(0.05)
    return json.loads(path.read_text(encoding="utf-8"))
