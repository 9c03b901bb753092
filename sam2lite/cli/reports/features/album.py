"""Pictures that are both files of a folder and part of a page."""

import base64
import re
from pathlib import Path

import cv2
import numpy as np

from sam2lite.cli.reports.html.markup import Html, tag
from sam2lite.diagnostics.pictures import Picture

_NO_NAME = re.compile(r"[^A-Za-z0-9.]+")


class Album:
    """Writes each picture as a PNG file, and gives it as markup."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, which is there."""
        self._folder = folder
        self._used: set[str] = set()

    def figure(self, picture: Picture, caption: str, *names: str) -> Html:
        """Write a picture and return it with its caption.

        Args:
            picture: uint8, BGR.
            caption: below it.
            names: what the file is called after.
        """
        _, encoded = cv2.imencode(".png", picture)
        raw = np.asarray(encoded).tobytes()
        (self._folder / f"{self._free('-'.join(names))}.png").write_bytes(raw)
        address = "data:image/png;base64," + base64.b64encode(raw).decode("ascii")
        return tag("figure", tag("img", src=address, alt=caption), tag("figcaption", caption))

    def _free(self, wanted: str) -> str:
        stem = _NO_NAME.sub("-", wanted).strip("-.").lower()[:120] or "picture"
        name, count = stem, 1
        while name in self._used:
            count += 1
            name = f"{stem}-{count}"
        self._used.add(name)
        return name


def pictures(*figures: Html) -> Html:
    """Return figures beside one another."""
    return tag("div", *figures, class_="pictures")
