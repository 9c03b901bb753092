"""A page as one file that asks nothing of a network and runs nothing."""

from collections.abc import Sequence
from importlib.resources import files as resources

from sam2lite.cli.reports.html.markup import Html, style, tag

# Whatever slipped through: a browser loads nothing from anywhere, and runs nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def document(
    title: str, header: Sequence[Html], sections: Sequence[tuple[str, Sequence[Html]]], footer: str
) -> str:
    """Return a page as HTML.

    Args:
        title: of the window.
        header: what stands above the table of contents.
        sections: their names, of which no two are the same, and what is in them.
        footer: a line at the end.
    """
    contents = (tag("a", name, href=f"#{_anchor(name)}") for name, _ in sections)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        style((resources(__package__) / "style.css").read_text("utf-8")),
    )
    body = tag(
        "body",
        tag("header", *header, tag("nav", *contents)),
        tag(
            "main",
            *(
                tag("section", tag("h2", name), *content, id=_anchor(name))
                for name, content in sections
            ),
        ),
        tag("footer", footer),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _anchor(name: str) -> str:
    return "".join(each if each.isalnum() else "-" for each in name.lower()).strip("-")
