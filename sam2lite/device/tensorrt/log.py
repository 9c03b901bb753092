"""What TensorRT says while it builds, and what a failure among it means.

TensorRT gives no reason when it gives no engine: the reason is in its log.
"""

from typing import Any, List, NamedTuple, Tuple

KEPT_ERRORS = 3  # the last ones: the first is often a kernel that was merely tried


class Trouble(NamedTuple):
    """A reason for a failure: words of the log, in lower case, and what to do."""

    words: Tuple[str, ...]
    remedy: str


MEMORY_REMEDY = (
    "this board ran out of memory: close the desktop (sudo systemctl isolate multi-user.target), "
    "add swap (sudo fallocate -l 4G /swap; sudo chmod 600 /swap; sudo mkswap /swap; sudo swapon "
    "/swap), give --workspace-mb a smaller number, or build fewer sizes (--rungs)"
)
TROUBLES = (
    Trouble(
        (
            "out of memory",
            "outofmemory",
            "out_of_memory",
            "insufficient memory",
            "bad_alloc",
            "memory allocation failed",
            "requested amount of gpu memory",
        ),
        MEMORY_REMEDY,
    ),
    Trouble(
        ("increasing the workspace size", "insufficient workspace"),
        "give --workspace-mb a larger number",
    ),
)
OTHER_REMEDY = "run it again with --verbose, and export the bundle again if the graph is at fault"


def remedy_for(said: List[str]) -> str:
    """Return what to do about errors that TensorRT logged."""
    text = " ".join(said).lower()
    for trouble in TROUBLES:
        if any(word in text for word in trouble.words):
            return trouble.remedy
    return OTHER_REMEDY


def make_logger(trt: Any, say: Any) -> Any:
    """Return a logger for TensorRT that keeps the errors.

    Args:
        trt: the module.
        say: called with every message of the level WARNING or worse; None for silence.

    Returns:
        an `ILogger`; its `errors` are the texts logged as errors so far, and `say` may be changed.
    """
    severity = trt.ILogger.Severity
    bad = (severity.INTERNAL_ERROR, severity.ERROR)

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)  # pybind11 refuses an object whose base was not set up
            self.errors: List[str] = []
            self.say = say

        def log(self, severity_now: Any, message: str) -> None:
            if severity_now in bad:
                self.errors.append(str(message).strip())
            loud = severity_now in bad or severity_now == severity.WARNING
            if self.say is not None and loud:
                self.say("TensorRT: {}".format(message))

    return Logger()


def last_errors(said: List[str]) -> str:
    """Return the end of what was logged as one sentence."""
    return "; ".join(said[-KEPT_ERRORS:]) or "it logged no reason"
