"""How a data set is laid out on disk, and what to say about a folder that is not."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sam2lite.data.datasets.dataset import Dataset
from sam2lite.errors import VideoError

_LISTED = 6  # entries of a folder that a message names


class Layout(NamedTuple):
    """One kind of data set.

    Attributes:
        tree: the files that it consists of, for messages.
        matches: whether a path looks like it; reads names alone, never a file.
        open: makes the data set; raises VideoError, with the tree, if the path is something else.
    """

    tree: str
    matches: Callable[[Path], bool]
    open: Callable[[Path], Dataset]


def layout_error(path: Path, found: str, tree: str) -> VideoError:
    """Return the error for a path with something amiss: what was found, what was expected."""
    return VideoError(f"'{path}' cannot be read as a data set: {found}; expected\n{tree}")


def listing(folder: Path) -> str:
    """Say what is in a folder, in a few words."""
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    if not names:
        return "the folder is empty"
    return "it holds " + first_few(names)


def first_few(names: list[str]) -> str:
    """Return names for a message, the first of them if they are many."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted, hidden ones left out; none if it does not exist."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def files_in(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files with one of these endings in the order of their frames.

    Names are numbers almost everywhere, padded with zeros or not; a shorter one comes first.
    """
    if not folder.is_dir():
        return []
    found = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes and not path.name.startswith(".")
    ]
    return sorted(found, key=lambda path: (len(path.stem), path.stem))


def stems_in(root: Path, suffix: str) -> list[str]:
    """Return the paths of all files of a kind in a folder and its subfolders, without ending.

    They are relative to the folder, with `/` in between on every system.
    """
    folders = [root, *subfolders(root)]
    paths = [path for folder in folders for path in files_in(folder, (suffix,))]
    return [path.relative_to(root).with_suffix("").as_posix() for path in paths]
