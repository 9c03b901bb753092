"""Which layout a folder has."""

from pathlib import Path

from sam2lite.data.datasets.bdd100k import BDD100K
from sam2lite.data.datasets.coco import COCO
from sam2lite.data.datasets.dataset import Dataset
from sam2lite.data.datasets.frame_folders import DAVIS, MOSE, YOUTUBE_VOS
from sam2lite.data.datasets.layout import listing, subfolders
from sam2lite.data.datasets.sa_1b import SA_1B
from sam2lite.data.datasets.sa_v import SA_V
from sam2lite.errors import UnknownNameError, VideoError

# The first that matches is taken; YouTube-VOS is MOSE with one file more.
_LAYOUTS = {
    "davis": DAVIS,
    "youtube-vos": YOUTUBE_VOS,
    "mose": MOSE,
    "bdd100k": BDD100K,
    "sa-v": SA_V,
    "coco": COCO,
    "sa-1b": SA_1B,
}
KINDS = tuple(_LAYOUTS)


def open_dataset(path: str | Path, kind: str | None = None) -> Dataset:
    """Open a data set without decoding any of it.

    Args:
        path: its folder. Of DAVIS also a list of sequences, such as `ImageSets/2017/val.txt`, or
            the folder of one sequence with `JPEGImages` and `Annotations`; of COCO also one
            `instances_*.json`.
        kind: one of `KINDS`; recognised by the names of files and folders if it is not given.

    Raises:
        UnknownNameError: there is no such kind.
        VideoError: nothing is there, or it has another layout; the message shows the expected one.
    """
    path = Path(path)
    if kind is not None and kind not in _LAYOUTS:
        raise UnknownNameError("kind of data set", kind, KINDS)
    if not path.exists():
        raise VideoError(f"there is no data set at '{path}'; check the path")
    kind = kind or _recognised(path)
    if kind is None:
        trees = "\n".join(f"{name}:\n{layout.tree}" for name, layout in _LAYOUTS.items())
        raise VideoError(
            f"'{path}' cannot be read as a data set: {_found(path)}; expected one of\n{trees}"
        )
    return _LAYOUTS[kind].open(path)


def _recognised(path: Path) -> str | None:
    return next((kind for kind, layout in _LAYOUTS.items() if layout.matches(path)), None)


def _found(path: Path) -> str:
    if path.is_file():
        return "it is a file"
    kinds = ((folder, _recognised(folder)) for folder in subfolders(path))
    inside = [f"'{folder.name}' in it is {kind}: open that" for folder, kind in kinds if kind]
    return "; ".join([listing(path), *inside[:3]])
