"""Warnings as commands say them: a sentence on standard error, without the line of the source."""

import sys
import warnings
from typing import Any

from sam2lite.errors import PromptWarning, TargetWarning


def show_plainly() -> None:
    """Print every warning of ours from now on as `warning: ...`."""
    others = warnings.showwarning

    def show(message: Any, category: Any, *place: Any, **more: Any) -> None:
        if issubclass(category, (PromptWarning, TargetWarning)):
            sys.stderr.write("warning: {}\n".format(message))
        else:
            others(message, category, *place, **more)

    warnings.showwarning = show
