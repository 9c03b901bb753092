"""Every still is opened once before a run: what cannot be used is named, too much is refused."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sam2lite.data.stills.folder import Still
from sam2lite.data.stills.picture import read_picture
from sam2lite.errors import VideoError

MOST_BAD = 0.01  # of all stills
_NAMED = 5


@dataclass(frozen=True)
class Checked:
    """What came of opening every still.

    Attributes:
        usable: those that can be read and have an object.
        reasons: why each of the others cannot be used.
        left_out: objects of under 64 px on the usable ones.
    """

    usable: Sequence[Still]
    reasons: Sequence[str]
    left_out: int

    def summary(self) -> str:
        """Say in a line or more what is skipped; empty if nothing is."""
        lines = []
        if self.reasons:
            more = len(self.reasons) - _NAMED
            lines = [f"{len(self.reasons)} stills cannot be used and are skipped:"]
            lines += [f"  {reason}" for reason in self.reasons[:_NAMED]]
            lines += [f"  and {more} more"] if more > 0 else []
        if self.left_out:
            lines.append(f"{self.left_out} objects of under 64 px are left out")
        return "\n".join(lines)


def check_stills(stills: Iterable[Still]) -> Checked:
    """Open every still.

    Args:
        stills: read one after the other, so an iterator with a progress bar is fine.

    Raises:
        VideoError: more than one in a hundred cannot be used.
    """
    usable: list[Still] = []
    reasons: list[str] = []
    left_out = 0
    for still in stills:
        try:
            left_out += read_picture(still).left_out
            usable.append(still)
        except VideoError as error:
            reasons.append(str(error))
    checked = Checked(usable, reasons, left_out)
    total = len(usable) + len(reasons)
    if len(reasons) > MOST_BAD * total:
        raise VideoError(
            f"{len(reasons)} of {total} stills cannot be used, more than "
            f"{100 * MOST_BAD:.0f} %, so the folder is probably damaged:\n{checked.summary()}"
        )
    return checked
