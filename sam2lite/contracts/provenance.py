"""Where weights come from: one word, which the manifest carries, and one line that says it."""

from types import MappingProxyType
from typing import Mapping, Optional

UNTRAINED = "untrained"
SMOKE_TEST = "smoke-test"
DEMO = "demo"
OWN = "own"

# By the word in the manifest, for people.
LINES: Mapping[str, str] = MappingProxyType(
    {
        UNTRAINED: "untrained: random numbers, its masks mean nothing",
        SMOKE_TEST: "smoke-test: trained on generated video alone, for trying the toolchain",
        DEMO: "demo: trained on real pictures for showing what it does, not for use in earnest",
        OWN: "the user's own: trained or brought by whoever exported it",
    }
)
UNSTATED = "trained; the bundle does not say by whom, as it is from before bundles did"


def provenance_line(weights: Optional[str]) -> str:
    """Return where weights come from, as one line.

    Args:
        weights: a key of `LINES`; None where they are trained and nobody wrote down more.
    """
    return UNSTATED if weights is None else LINES[weights]
