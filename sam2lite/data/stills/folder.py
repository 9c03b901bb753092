"""A folder of photographs with masks: what it lists, and under which terms."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sam2lite.data.datasets.json_files import inner_path, read_json
from sam2lite.data.datasets.layout import layout_error
from sam2lite.data.stills.terms import UNCLEAR, may_be_released, read_terms

INDEX_FILE = "index.json"
_TREE = """\
  ROOT/index.json                                  {"stills": [...], "clips": [...]}
  ROOT/SOURCES.md                                  (a table: source ... class)
  ROOT/stills/<source>/<id>.jpg and <id>.png       (palette PNG: 0, objects 1..254, 255 unknown)
  ROOT/clips/<source>/<clip>/JPEGImages/00000.jpg and Annotations/00000.png"""
_PARTS = "parts"  # a kind that starts so has one object, and masks of its parts


@dataclass(frozen=True)
class Still:
    """A photograph with a mask file.

    Attributes:
        source: where it is from.
        stem: path of the photograph and of the mask, without their endings.
        parts: the masks are of parts of one object.
        releasable: whether its terms allow to train weights for others on it.
    """

    source: str
    stem: Path
    parts: bool
    releasable: bool

    @property
    def name(self) -> str:
        """Source and identity, unique in its folder."""
        return f"{self.source}/{self.stem.name}"


@dataclass(frozen=True)
class RealClip:
    """A short annotated clip, in the layout of one sequence of DAVIS.

    Attributes:
        source: where it is from.
        path: its folder.
        releasable: as for a still.
    """

    source: str
    path: Path
    releasable: bool

    @property
    def name(self) -> str:
        """Source and identity, unique in its folder."""
        return f"{self.source}/{self.path.name}"


@dataclass(frozen=True)
class StillsFolder:
    """Stills and clips in the order of their names."""

    root: Path
    stills: Sequence[Still]
    clips: Sequence[RealClip]


def is_stills(path: str | Path) -> bool:
    """Return whether a path looks like a folder of stills; reads names alone."""
    return (Path(path) / INDEX_FILE).is_file() and (Path(path) / "stills").is_dir()


def open_stills(path: str | Path) -> StillsFolder:
    """Read a folder's index and terms; no picture is opened.

    Raises:
        VideoError: nothing is there, or it has another layout; the message shows the expected one.
    """
    root = Path(path)
    if not is_stills(root):
        raise layout_error(root, "it has no index.json beside a folder 'stills'", _TREE)
    index = read_json(root / INDEX_FILE, ["stills"], _TREE)
    terms = read_terms(root)
    try:
        stills = [_still(root, terms, entry) for entry in index["stills"]]
        clips = [_clip(root, terms, entry) for entry in index.get("clips", [])]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise layout_error(
            root / INDEX_FILE, f"an entry lacks or misuses {error}; each has source and id", _TREE
        ) from None
    if not stills:
        raise layout_error(root / INDEX_FILE, "it lists no stills", _TREE)
    return StillsFolder(
        root,
        sorted(stills, key=lambda still: still.name),
        sorted(clips, key=lambda clip: clip.name),
    )


def _still(root: Path, terms: dict[str, str], entry: dict[str, Any]) -> Still:
    source = inner_path(str(entry["source"]))
    kind = str(entry.get("kind", ""))
    allowed = may_be_released(terms.get(source, UNCLEAR))
    stem = root / "stills" / source / inner_path(str(entry["id"]))
    return Still(source, stem, kind.startswith(_PARTS), allowed)


def _clip(root: Path, terms: dict[str, str], entry: dict[str, Any]) -> RealClip:
    source = inner_path(str(entry["source"]))
    allowed = may_be_released(terms.get(f"clips/{source}", UNCLEAR))
    return RealClip(source, root / "clips" / source / inner_path(str(entry["clip"])), allowed)
