"""How often a loop chose another candidate, in words; older manifests count ties alone."""

from typing import Any

import pytest

from sam2lite.cli.reports.shown import choices


@pytest.mark.parametrize(
    ("loop", "said"),
    [
        ({"tied_choices": 2}, "2 tied candidates"),
        ({"tied_choices": 0, "flipped_choices": 0, "largest_flip": None}, "0 tied candidates"),
        (
            {"tied_choices": 2, "flipped_choices": 3, "largest_flip": 0.02134},
            "3 choices differ by a predicted IoU of up to 0.0213, 2 tied candidates",
        ),
    ],
)
def test_choices(loop: dict[str, Any], said: str) -> None:
    assert choices(loop) == said
