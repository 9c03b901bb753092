"""How often a loop chose another candidate, in words; older manifests count ties alone."""

from typing import Any

import pytest

from sam2lite.cli.reports.shown import choices


@pytest.mark.parametrize(
    ("loop", "said"),
    [
        ({"tied_choices": 2}, "2 tied candidates"),
        ({"choices": {}}, "no choices among masks"),
        (
            {"choices": {"predicted IoU": {"made": 9, "flipped": 0, "largest_flip": None}}},
            "0 of 9 choices by predicted IoU differ",
        ),
        (
            {
                "choices": {
                    "stability": {"made": 7, "flipped": 1, "tied": 0, "largest_flip": 0.004},
                    "predicted IoU": {"made": 9, "flipped": 3, "tied": 2, "largest_flip": 0.02134},
                }
            },
            "3 of 9 choices by predicted IoU differ, by up to 0.0213, 2 of them within rounding; "
            "1 of 7 choices by stability differ, by up to 0.0040, 0 of them within rounding",
        ),
        ({"choices": {"x": {}}}, "0 of 0 choices by x differ"),
    ],
)
def test_choices(loop: dict[str, Any], said: str) -> None:
    assert choices(loop) == said
