"""Faults that are planted in the Swift sources; the tests must fail on each of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SOURCES = Path("Sources") / "SAM2Lite"


@dataclass(frozen=True)
class Fault:
    """One change of one place.

    Attributes:
        name: for the table.
        file: in `SOURCES`.
        right: the text that stands there, once.
        wrong: what is put in its place.
    """

    name: str
    file: str
    right: str
    wrong: str

    def planted(self, source: str) -> str:
        """Return the file's text with the fault in it.

        Raises:
            ValueError: the text is not there, or more than once.
        """
        if source.count(self.right) != 1:
            raise ValueError(
                f"{self.file} has {self.right!r} {source.count(self.right)} times and not once; "
                "mend checks/swift/faults.py"
            )
        return source.replace(self.right, self.wrong)


FAULTS = (
    Fault("noise learned at another gain", "TimeModel.swift", "noise + 0.04 *", "noise + 0.05 *"),
    Fault("a rung is left a frame early", "FrameController.swift", "dwell = 3", "dwell = 2"),
    Fault("no differential part", "FrameController.swift", "+ 0.05 * change", "+ 0 * change"),
    Fault("the first anchor makes room", "MemoryBank.swift", "== anchors[1]", "== anchors[0]"),
    Fault(
        "a window of one frame more", "MemoryBank.swift", "{ stored - $0 }", "{ stored - $0 - 1 }"
    ),
    Fault(
        "a negative click counts as one",
        "PromptSlots.swift",
        "isOnObject ? 1 : 0",
        "isOnObject ? 1 : 1",
    ),
    Fault("pixels end at corners", "Geometry.swift", "Float(target) - 0.5", "Float(target)"),
    Fault("the image is rounded down", "Geometry.swift", "* 4 + index].rounded()", "* 4 + index]"),
    Fault(
        "a correction keeps what it corrects",
        "FrameLoop.swift",
        "if let before, before.isStored { track.bank.forgetLast() }",
        "",
    ),
    Fault(
        "a correction forgets what was absent",
        "FrameLoop.swift",
        "hint = before.isLost ? nil : before.logits",
        "hint = track.hint?.logits",
    ),
    Fault(
        "the last of equal candidates",
        "FrameLoop.swift",
        "ious[$1] > ious[$0]",
        "ious[$1] >= ious[$0]",
    ),
    Fault("an absent object is remembered", "FrameLoop.swift", "|| score > 0)", "|| score > -9)"),
    Fault("a removed object stays", "FrameLoop.swift", "tracks[id] = nil", "_ = tracks[id]"),
)
