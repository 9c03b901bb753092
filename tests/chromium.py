"""A headless Chromium, spoken to over a pipe in its DevTools protocol; no driver, no WebSocket."""

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

VARIABLE = "SAM2LITE_CHROMIUM"
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_READ_FD, _WRITE_FD = 3, 4  # where Chromium's own ends of the pipes have to be
_FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # it has none as root, which it is in a container
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--hide-scrollbars",
    "--mute-audio",
    "--no-first-run",
    "--no-proxy-server",
)


def find_chromium() -> str | None:
    """Return the program that $SAM2LITE_CHROMIUM names, or else one on the path."""
    named = os.environ.get(VARIABLE)
    return named or next(filter(None, map(shutil.which, _NAMES)), None)


class Page:
    """One page of a browser of its own; closing it ends the browser.

    Attributes:
        errors: what went wrong in the page's scripts, and what its policy kept from loading.
        requests: what the page and its workers have asked for, by URL, since `watch_requests`.
    """

    def __init__(self, width: int, height: int, flags: Sequence[str] = ()) -> None:
        """Start Chromium with an empty page of a size, px; flags are added to its own."""
        program = find_chromium()
        assert program is not None
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._profile = tempfile.mkdtemp(prefix="chromium-")
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        command = [program, *_FLAGS, *flags, f"--user-data-dir={self._profile}"]
        # The ends are moved to their places by a shell, which a fork of many threads is not.
        moved = f'exec "$@" {_READ_FD}<&{theirs_in} {_WRITE_FD}>&{theirs_out}'
        self._process = subprocess.Popen(
            ["bash", "-c", moved, "chromium", *command, "about:blank"],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._ids = itertools.count(1)
        self._buffer = b""
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.resize(width, height)

    def __enter__(self) -> "Page":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.killpg(self._process.pid, 9)
        self._process.wait()
        os.close(self._to)
        os.close(self._from)
        shutil.rmtree(self._profile, ignore_errors=True)

    def watch_requests(self) -> None:
        """Note what is asked for from now on, by workers too."""
        self.call(
            "Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=False, flatten=True
        )

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        number = self._send(self._session, method, parameters)
        while True:
            answer = self._next(60.0)
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                result: dict[str, Any] = answer["result"]
                return result

    def resize(self, width: int, height: int, scale: float = 1.0) -> None:
        """Give the page another size, px."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )

    def open(self, url: str) -> None:
        """Go to a URL."""
        self.call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """Return the value of an expression."""
        result = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, condition: str, seconds: float = 20.0) -> None:
        """Wait until an expression is true."""
        until_s = time.monotonic() + seconds
        while not self.run(f"!!({condition})"):
            assert time.monotonic() < until_s, f"{condition} has not come true; {self.errors}"
            time.sleep(0.05)

    def place(self, selector: str, across: float = 0.5, down: float = 0.5) -> tuple[float, float]:
        """Return where a share of an element's box is in the window."""
        box = self.run(
            f"(({{x, y, width, height}}) => [x, y, width, height])"
            f"(document.querySelector({selector!r}).getBoundingClientRect())"
        )
        return box[0] + across * box[2], box[1] + down * box[3]

    def press(self, x: float, y: float, button: str = "left", modifiers: int = 0) -> None:
        """Press a button of the mouse and hold it."""
        self._mouse("mousePressed", x, y, button, modifiers)

    def move(self, x: float, y: float, button: str = "left") -> None:
        """Move the mouse while a button is held."""
        self._mouse("mouseMoved", x, y, button, 0)

    def release(self, x: float, y: float, button: str = "left", modifiers: int = 0) -> None:
        """Let the button go."""
        self._mouse("mouseReleased", x, y, button, modifiers)

    def click(self, x: float, y: float, button: str = "left", modifiers: int = 0) -> None:
        """Click; modifiers: 8 is Shift."""
        self.press(x, y, button, modifiers)
        self.release(x, y, button, modifiers)

    def key(self, text: str) -> None:
        """Type a letter."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=text, text=text)

    def screenshot(self, path: Path, quality: int | None = None) -> None:
        """Write what is to be seen as a PNG, or as a JPEG of a quality."""
        more = {} if quality is None else {"quality": quality}
        kind = "png" if quality is None else "jpeg"
        image = self.call("Page.captureScreenshot", format=kind, **more)
        path.write_bytes(base64.b64decode(image["data"]))

    def _mouse(self, kind: str, x: float, y: float, button: str, modifiers: int) -> None:
        self.call(
            "Input.dispatchMouseEvent",
            type=kind,
            x=x,
            y=y,
            button=button,
            buttons={"left": 1, "right": 2}[button],
            clickCount=1,
            modifiers=modifiers,
        )

    def _send(self, session: str | None, method: str, parameters: Mapping[str, Any]) -> int:
        number = next(self._ids)
        message = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        return number

    def _next(self, seconds: float) -> dict[str, Any]:
        """Return the next message, and note what it says of errors."""
        until_s = time.monotonic() + seconds
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], max(0.0, until_s - time.monotonic()))
            assert ready, "Chromium does not answer"
            piece = os.read(self._from, 1 << 20)
            assert piece, "Chromium has ended"
            self._buffer += piece
        raw, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(raw)
        if message.get("method") == "Runtime.exceptionThrown":
            details = message["params"]["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        if message.get("method") == "Target.attachedToTarget" and self._session is not None:
            self._send(message["params"]["sessionId"], "Network.enable", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        if message.get("method") == "Log.entryAdded":
            entry = message["params"]["entry"]
            if entry["level"] == "error":
                self.errors.append(f"{entry['text']} {entry.get('url', '')}")
        return message
