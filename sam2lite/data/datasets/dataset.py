"""A data set: names, and how to open the clip of one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

from sam2lite.data.datasets.clip import DatasetClip


@dataclass(frozen=True)
class Dataset:
    """Clips in the order of their names, opened one by one when they are asked for.

    Attributes:
        kind: which of `KINDS` it is.
        names: of the clips, unique.
        open_clip: opens the clip of a name; it can be sent to another process.
    """

    kind: str
    names: Sequence[str]
    open_clip: Callable[[str], DatasetClip]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> DatasetClip:
        """Open a clip; an error names the folder and what it should hold.

        Raises:
            IndexError: there are not so many clips.
            VideoError: its files are missing or damaged.
        """
        return self.open_clip(self.names[index])

    def __iter__(self) -> Iterator[DatasetClip]:
        return map(self.open_clip, self.names)

    def only(self, names: Sequence[str]) -> Self:
        """Return the data set with fewer clips."""
        return replace(self, names=names)
