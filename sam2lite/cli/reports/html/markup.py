"""HTML from plain text: whatever is not `Html` already is escaped, whoever wrote it."""

from collections.abc import Iterable, Sequence
from html import escape

from sam2lite.files.reading import printable

_VOID = ("img", "meta", "br")
_EMPTY_IN_SVG = ("rect", "path")


class Html(str):
    """Text that is markup; only `tag` and `joined` make it."""

    __slots__ = ()


def tag(name: str, /, *content: object, **attributes: object) -> Html:
    """Return an element.

    Args:
        name: of the element.
        content: markup, and values that are shown as text.
        attributes: an underscore in a name is a hyphen, one at its end is dropped (`class_`); None
            leaves an attribute out.
    """
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{shown}>")
    if name in _EMPTY_IN_SVG:
        return Html(f"<{name}{shown}/>")
    return Html(f"<{name}{shown}>{joined(content)}</{name}>")


def joined(parts: Iterable[object], between: str = "") -> Html:
    """Return parts as one piece of markup; see `tag`."""
    return Html(between.join(part if isinstance(part, Html) else _escaped(part) for part in parts))


def style(css: str) -> Html:
    """Return our own rules as an element; text of others must not come here."""
    return Html(f"<style>{css}</style>")


def table(heading: Sequence[object], rows: Iterable[Sequence[object]]) -> Html:
    """Return a table that scrolls by itself where it is wider than the page.

    Columns whose cells all begin with a digit, a sign or a dash are aligned to the right.

    Args:
        heading: of the columns; none where it is empty.
        rows: cells, as many each.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    columns = list(zip(*cells, strict=True))
    numeric = [all(_is_figure(cell) for cell in column) for column in columns]
    classes = ["figure" if each else None for each in numeric] or [None] * len(heading)
    head = tag("thead", _row("th", list(map(_cell, heading)), classes)) if heading else Html()
    body = tag("tbody", *(_row("td", row, classes) for row in cells))
    return tag("div", tag("table", head, body), class_="wide")


def facts(rows: Iterable[tuple[str, object]]) -> Html:
    """Return names and what they stand for, a line each."""
    lines = ((tag("dt", name), tag("dd", _cell(value))) for name, value in rows)
    return tag("dl", *(part for line in lines for part in line))


def _row(name: str, cells: Sequence[Html], classes: Sequence[str | None]) -> Html:
    return tag(
        "tr", *(tag(name, cell, class_=kind) for cell, kind in zip(cells, classes, strict=True))
    )


def _cell(value: object) -> Html:
    """Return a value as markup, with its line breaks."""
    if isinstance(value, Html):
        return value
    return joined(str(value).split("\n"), between=tag("br"))


def _is_figure(cell: str) -> bool:
    return not cell or cell[0].isdigit() or cell[0] in "-+"


def _escaped(value: object) -> str:
    return escape(printable(value), quote=True)
