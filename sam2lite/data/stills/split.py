"""What is trained on and what is kept apart, decided by names alone.

Two sources are kept apart whole, and of the others every tenth still; so a score says both how new
pictures of a known kind fare and how pictures of a new kind do.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence

from sam2lite.data.stills.folder import RealClip, Still

VALIDATION_SHARE = 0.1
SOURCES_APART = 2
MOST_APART = 0.05  # of all stills, for a source that could be trained on to be kept apart whole


def split_stills(stills: Sequence[Still], seed: int = 0) -> tuple[list[Still], list[Still]]:
    """Return the stills to train on and those to validate on; no still is in both.

    Kept apart whole are sources whose terms do not allow training, then the largest of the small
    ones, until there are two. Stills whose terms do not allow it are never in the first list.

    Args:
        stills: of a folder.
        seed: another one keeps other stills of the mixed sources apart.
    """
    apart = sources_apart(stills)
    training: list[Still] = []
    validation: list[Still] = []
    for still in stills:
        if still.source in apart or _uniform(seed, still.name) < VALIDATION_SHARE:
            validation.append(still)
        elif still.releasable:
            training.append(still)
    return training, validation


def sources_apart(stills: Sequence[Still]) -> set[str]:
    """Return the sources that are kept apart whole."""
    counts = Counter(still.source for still in stills)
    refused = {still.source for still in stills if not still.releasable}
    small = [name for name in counts if counts[name] <= MOST_APART * len(stills)]
    ordered = sorted(small, key=lambda name: (name not in refused, -counts[name], name))
    return set(ordered[:SOURCES_APART]) if len(counts) > SOURCES_APART else set()


def split_clips(clips: Sequence[RealClip], seed: int = 0) -> tuple[list[RealClip], list[RealClip]]:
    """Return the clips to train on and those to validate on: half of them each.

    Clips whose terms do not allow training are validated on.
    """
    allowed = [clip for clip in clips if clip.releasable]
    allowed.sort(key=lambda clip: _uniform(seed, clip.name))
    training = allowed[: len(allowed) // 2]
    return training, [clip for clip in clips if clip not in training]


def _uniform(seed: int, name: str) -> float:
    """Return a number in 0..1 that looks random and depends on seed and name alone."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
