"""Pictures at random: by source, and another one where a file cannot be used."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from sam2lite.data.stills.folder import Still
from sam2lite.data.stills.picture import Picture, read_picture
from sam2lite.errors import VideoError

MOST_TRIES = 50
_KEPT_PICTURES = 64  # decoded; distractors of the same source are often drawn again

# How often a still is drawn, for each of them. Sources of one kind of object get less than those
# of many kinds, and parts of things (garments) least: their masks teach where colours change.
_WEIGHTS = {"coco_subset": 4.0, "matting_demo": 3.0, "feral_cats": 0.7}
_PARTS_WEIGHT = 0.5


class PictureBank:
    """Draws pictures; each draw takes the same numbers from its generator on every machine."""

    def __init__(self, stills: Sequence[Still]) -> None:
        """Take the stills to draw from; no file is opened.

        Raises:
            VideoError: there are none.
        """
        if not stills:
            raise VideoError(
                "no still may be trained on: all are kept apart or have unclear terms; see the "
                "table in SOURCES.md"
            )
        self._stills = list(stills)
        weights = np.array([_weight(still) for still in stills])
        self._edges = np.cumsum(weights) / weights.sum()
        self._by_source: dict[str, list[int]] = {}
        for index, still in enumerate(stills):
            self._by_source.setdefault(still.source, []).append(index)
        self._decoded: OrderedDict[int, Picture] = OrderedDict()

    def draw(self, rng: np.random.Generator, like: str | None = None) -> tuple[Picture, str]:
        """Return a random picture and its source.

        Args:
            rng: of this clip.
            like: a source to draw from; any if not given.

        Raises:
            VideoError: many in a row cannot be used.
        """
        for _ in range(MOST_TRIES):
            share = rng.random()
            if like is None:
                index = min(int(np.searchsorted(self._edges, share)), len(self._stills) - 1)
            else:
                index = self._by_source[like][int(share * len(self._by_source[like]))]
            try:
                return self._read(index), self._stills[index].source
            except VideoError as error:
                reason = error
        raise VideoError(f"{MOST_TRIES} stills in a row cannot be used; the last one: {reason}")

    def _read(self, index: int) -> Picture:
        if index not in self._decoded:
            self._decoded[index] = read_picture(self._stills[index])
            if len(self._decoded) > _KEPT_PICTURES:
                self._decoded.popitem(last=False)
        return self._decoded[index]


def _weight(still: Still) -> float:
    return _PARTS_WEIGHT if still.parts else _WEIGHTS.get(still.source, 1.0)
