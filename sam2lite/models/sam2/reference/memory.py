"""What the reference loop keeps of one object, as a value: every change makes a new one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor

from sam2lite.contracts.families.sam2 import (
    CONDITIONING_FRAMES,
    POINTER_FRAMES,
    RECENT_FRAMES,
    REWIND_FRAMES,
    TIME_ROWS,
)

# Conditioning frames that are kept. A frame sees few of them, but which depends on where it is.
STORED_CONDITIONING_FRAMES = 16


class ObjectOutput(NamedTuple):
    """One object on one frame. Scores are 0-d tensors."""

    logits_hw: Tensor  # [H4, W4]; a mask to be shown only if `present`
    iou: Tensor  # predicted, of the chosen candidate
    object_score: Tensor  # logit
    present: bool  # prompted or scored above 0, and not lost
    lost: bool  # something was not finite, so nothing was stored


class Decoded(NamedTuple):
    """How an object came to its output on a frame.

    Attributes:
        output: the last one.
        initial: it was prompted and decoded without memory.
        tracked: `track` has passed the frame.
    """

    output: ObjectOutput
    initial: bool
    tracked: bool


class StoredFrame(NamedTuple):
    """A frame in memory.

    Attributes:
        features_bnc: float32 `[1, N, 64]`, rounded already; None where only the pointer is kept.
        pointer_bc: `[1, 256]`.
        decoded: of conditioning frames, which may be shown again.
        good: whether memory is to be sought here where motion says which frames are trusted.
    """

    features_bnc: Tensor | None
    pointer_bc: Tensor
    decoded: Decoded | None = None
    good: bool = False


class Seen(NamedTuple):
    """What a frame sees.

    Attributes:
        memories: of frames, with their rows of the temporal table.
        pointers: with their ages.
    """

    memories: list[tuple[int, Tensor]]
    pointers: list[tuple[int, Tensor]]


Frames = Mapping[int, StoredFrame]
_NONE: Frames = MappingProxyType({})


class ObjectMemory(NamedTuple):
    """Frames by their numbers.

    Attributes:
        conditioning: those that the user prompted, in the order in which they became so.
        recent: those that were tracked.
    """

    conditioning: Frames = _NONE
    recent: Frames = _NONE

    def stored(self, now: int, frame: StoredFrame, conditioning: bool) -> ObjectMemory:
        """Return it with a frame in place of what there is of it; see `bounded`.

        Args:
            now: number of the frame.
            frame: what is stored.
            conditioning: whether it is a conditioning frame.
        """
        prompted, recent = dict(self.conditioning), dict(self.recent)
        if conditioning:
            recent.pop(now, None)
            prompted[now] = frame
        else:
            recent[now] = frame._replace(decoded=None)
        return ObjectMemory(prompted, recent)

    def bounded(self) -> ObjectMemory:
        """Return it without what will not be seen, once a frame is left.

        The last `REWIND_FRAMES` tracked frames may be gone back over, so of those before them there
        is what the next one would see: memory of the last ones and of the last good ones, pointers
        from further back.
        """
        prompted, recent = dict(self.conditioning), dict(self.recent)
        if len(prompted) > STORED_CONDITIONING_FRAMES:
            _, second, *_ = sorted(prompted)  # the first one stays
            del prompted[second]
        before = sorted(recent, reverse=True)[REWIND_FRAMES:]
        good = [t for t in before if recent[t].good]
        whole = {*before[:RECENT_FRAMES], *good[:RECENT_FRAMES]}
        for place, t in enumerate(before):
            if t not in whole:
                kept = recent.pop(t)
                if place < POINTER_FRAMES - 1:
                    recent[t] = kept._replace(features_bnc=None)
        return ObjectMemory(prompted, recent)

    def before(self, frame_index: int) -> ObjectMemory:
        """Return it without what was tracked from a frame on; conditioning frames stay."""
        return self._replace(recent={t: kept for t, kept in self.recent.items() if t < frame_index})

    def seen_from(
        self, now: int, look_back: int, memories: int = RECENT_FRAMES, good: bool = False
    ) -> Seen:
        """Return what a frame sees.

        Conditioning frames lie anywhere, but their pointers are seen from later frames only. Those
        that are not selected count as tracked ones where they are as near as those.

        Args:
            now: number of the frame.
            look_back: frames that pointers are taken from, this one counted.
            memories: frames beside the selected ones whose memory is taken.
            good: take those of the frame before and of the last good ones; else of the last ones.
        """
        selected = self._selected(now)
        past = {**{t: f for t, f in self.conditioning.items() if t not in selected}, **self.recent}
        rows = [(TIME_ROWS - 1, self.conditioning[t]) for t in selected]
        sought = [now - ago for ago in range(1, memories + 1)]
        if good:
            trusted = sorted((t for t, f in past.items() if f.good and t < now - 1), reverse=True)
            sought = [now - 1, *trusted][:memories]
        rows += [(row, past[t]) for row, t in reversed([*enumerate(sought)]) if t in past]
        whole = [(row, kept.features_bnc) for row, kept in rows if kept.features_bnc is not None]
        pointers = [(now - t, self.conditioning[t].pointer_bc) for t in selected if t <= now]
        pointers += [
            (ago, past[now - ago].pointer_bc) for ago in range(1, look_back) if now - ago in past
        ]
        return Seen(whole, pointers)

    def _selected(self, now: int) -> list[int]:
        """Return the conditioning frames that are seen: the nearest on either side, then others."""
        known = list(self.conditioning)
        if len(known) <= CONDITIONING_FRAMES:
            return known
        sides = (
            max((t for t in known if t < now), default=None),
            min((t for t in known if t >= now), default=None),
        )
        nearest = [t for t in sides if t is not None]
        others = sorted((t for t in known if t not in nearest), key=lambda t: abs(t - now))
        return nearest + others[: CONDITIONING_FRAMES - len(nearest)]
