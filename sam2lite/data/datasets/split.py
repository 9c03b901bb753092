"""Training and validation clips, told apart by their names."""

import hashlib

from sam2lite.data.datasets.dataset import Dataset

VALIDATION_SHARE = 0.2


def split(
    dataset: Dataset, seed: int = 0, validation_share: float = VALIDATION_SHARE
) -> tuple[Dataset, Dataset]:
    """Return the clips to train on and those to validate on.

    A hash of the seed and the clip's name decides, so a clip stays where it is when others come or
    go. The shares are met on average; of a handful of clips one part may have none.

    Args:
        dataset: to be split.
        seed: another one gives another split.
        validation_share: 0 to 1.
    """
    names: tuple[list[str], list[str]] = ([], [])
    for name in dataset.names:
        names[_uniform(f"{seed}/{name}") < validation_share].append(name)
    return dataset.only(names[0]), dataset.only(names[1])


def _uniform(text: str) -> float:
    """Return a number in 0..1 that looks random and depends on the text alone."""
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
