"""Photographs with masks: read, split, and turned into clips for training.

A folder holds `index.json`, `SOURCES.md` and, for every source, `stills/SOURCE/ID.jpg` beside
`ID.png`; short clips may lie under `clips/`. `still_clip` moves what is on a photograph: the same
seed and folder give the same bytes.
"""

from sam2lite.data.stills.bank import PictureBank
from sam2lite.data.stills.checking import check_stills
from sam2lite.data.stills.folder import RealClip, Still, StillsFolder, is_stills, open_stills
from sam2lite.data.stills.photographs import photograph_source
from sam2lite.data.stills.picture import Picture, read_picture
from sam2lite.data.stills.pseudo_clip import StillClip, still_clip
from sam2lite.data.stills.split import split_clips, split_stills

__all__ = [
    "Picture",
    "PictureBank",
    "RealClip",
    "Still",
    "StillClip",
    "StillsFolder",
    "check_stills",
    "is_stills",
    "open_stills",
    "photograph_source",
    "read_picture",
    "split_clips",
    "split_stills",
    "still_clip",
]
