"""Every error that SAM2-Lite raises on purpose, as one tree.

    Sam2LiteError                 exit code 1: environment or data
    |-- ArgumentError             2: what was asked for does not exist or contradicts itself
    |   |-- UnknownNameError         2: an unknown target, model, rung or preset
    |   |-- RecipeError              2: a field of a recipe that cannot be used, or is not
    |   `-- PromptError              2: a click, box or mask that cannot be used
    |-- DependencyError           1: an optional package is missing
    |-- VideoError                1: a source of frames that cannot be read
    |-- DownloadError             1: a list of links that cannot be read, or files that did not come
    |-- ModelError                1: a checkpoint that cannot be loaded
    |-- BundleError               1: a bundle that is damaged, incompatible or not a bundle
    |-- OutputError               1: an output that exists or cannot be written
    |-- ServeError                1: an address that cannot be listened on
    |-- SessionError              1: a backend that cannot run what it was given
    |-- ExportError               1: a graph that cannot be traced or lowered
    |-- CalibrationError          1: ranges that cannot be made, read or used
    |-- TrainingError             1: a run that cannot start, go on or be resumed
    |-- VerificationError         3: a result that misses a bound or does not fit its target
    |   `-- GraphsRefusedError       3: plain graphs that a target's parser would not take
    `-- BudgetMissedError         4: a frame budget that was not held (--fail-over-budget)

A message says what happened, the value, and what to do about it.
"""

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Iterable, Mapping


class Sam2LiteError(Exception):
    """Base of the tree; `exit_code` is what a command returns for it."""

    exit_code = 1

    def __str__(self) -> str:
        # Messages name what strangers wrote, and a terminal must not act on it.
        return "".join(
            character if character.isprintable() or character == "\n" else ascii(character)[1:-1]
            for character in super().__str__()
        )


class ArgumentError(Sam2LiteError):
    """What was asked for does not exist or contradicts itself."""

    exit_code = 2


class UnknownNameError(ArgumentError):
    """An unknown target, model, rung or preset; the message lists the known ones.

    Where one of them is spelt much like it, the message asks whether that one was meant.
    """

    def __init__(self, kind: str, name: object, known: Iterable[object]) -> None:
        self.kind = kind
        self.name = name
        names = [str(item) for item in known]
        message = "unknown {} {!r}; known: {}".format(kind, name, ", ".join(names))
        # Only words are misspelt: the digits of 241 say nothing about which number was meant.
        close = get_close_matches(name.lower(), names) if isinstance(name, str) else []
        if close:
            message += "; did you mean {}?".format(" or ".join(close))
        super().__init__(message)


class RecipeError(ArgumentError):
    """A field of a recipe that cannot be used, or that nobody would use.

    Attributes:
        text: what is wrong, the names of fields in backticks.
        field: that is at fault.
    """

    def __init__(self, text: str, field: str) -> None:
        self.text = text
        self.field = field
        super().__init__(text)

    def inside(self, place: str) -> "RecipeError":
        """Return the error with the place where the field stands before it."""
        return RecipeError("{}: {}".format(place, self.text), self.field)

    def spelt(self, names: Mapping[str, str]) -> str:
        """Return the text with every field called as in `names`, by field; others stay."""
        return re.sub(
            "`([a-z_]+)`", lambda found: names.get(found.group(1), found.group()), self.text
        )


class PromptError(ArgumentError):
    """A click, box or mask that cannot be used; the message names it and its bounds."""


class DependencyError(Sam2LiteError):
    """An optional package is missing; the message says how to install it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            "{} needs the package '{}', which is not installed; run: {}".format(
                purpose, package, install_extra(extra)
            )
        )


def install_extra(extra: str) -> str:
    """Return the command that installs an extra of this package, which is on no index.

    Args:
        extra: its name, or several with commas between.
    """
    checkout = Path(__file__).absolute().parent.parent
    if (checkout / "pyproject.toml").is_file():
        return "pip install -e '{}[{}]'".format(checkout, extra)
    return "pip install '.[{}]' in a checkout of sam2lite".format(extra)


class VideoError(Sam2LiteError):
    """A file, folder or camera that does not give the frames it should."""


class DownloadError(Sam2LiteError):
    """A list of links that cannot be read, or files of it that did not come whole."""


class ModelError(Sam2LiteError):
    """A checkpoint whose configuration or weights do not fit; keys are listed by name and shape."""


class BundleError(Sam2LiteError):
    """A bundle that is damaged, made for something else, or no bundle at all."""


class OutputError(Sam2LiteError):
    """An output that exists already, or cannot be written."""


class ServeError(Sam2LiteError):
    """An address that a page cannot be served on: it is in use, or not one of this machine."""


class SessionError(Sam2LiteError):
    """A backend that is not available, fell back, or was given the wrong tensors."""


class ExportError(Sam2LiteError):
    """A graph that cannot be traced, lowered or simplified."""


class CalibrationError(Sam2LiteError):
    """Activation ranges that cannot be made, read, or used for a network."""


class TrainingError(Sam2LiteError):
    """A training run that cannot start, go on or be resumed."""


class VerificationError(Sam2LiteError):
    """A result that misses its parity or accuracy bound, or that its target would not take."""

    exit_code = 3


class PromptWarning(UserWarning):
    """A prompt that was changed a little, because it could not be meant as it was given."""


class TargetWarning(UserWarning):
    """A bundle that this machine runs worse than the one it was made for; no error, as it runs."""


class BudgetMissedError(Sam2LiteError):
    """A frame budget that was not held, where the caller asked for this to be an error."""

    exit_code = 4
