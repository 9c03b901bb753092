"""The files of the page, which are data of this package, also within `device.pyz`."""

import pkgutil
from typing import Dict, NamedTuple

_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/stream.js": ("stream.js", "text/javascript; charset=utf-8"),
    "/picture.js": ("picture.js", "text/javascript; charset=utf-8"),
    "/plot.js": ("plot.js", "text/javascript; charset=utf-8"),
}


class PageFile(NamedTuple):
    """A file that is sent as it is."""

    content: bytes
    content_type: str


def read_page() -> Dict[str, PageFile]:
    """Return the files by the paths of their URLs. There are no others: no path is looked up."""
    found = {}
    for url, (name, content_type) in _FILES.items():
        content = pkgutil.get_data(__package__, "page/" + name)
        assert content is not None
        found[url] = PageFile(content, content_type)
    return found
