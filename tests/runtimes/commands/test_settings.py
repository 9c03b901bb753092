"""`--set NAME=VALUE`."""

import pytest

from sam2lite.errors import ArgumentError
from sam2lite.runtimes.commands.settings import read_settings


def test_values_are_numbers_words_or_nothing() -> None:
    given = ["window=3", "share=0.5", "policy=fifo", "non_overlap=true", "x=false", "tokens=none"]
    assert read_settings(given) == {
        "window": 3,
        "share": 0.5,
        "policy": "fifo",
        "non_overlap": True,
        "x": False,
        "tokens": None,
    }
    assert read_settings(None) == {}


@pytest.mark.parametrize("entry", ["window", "=3", "window=", "a b=3", "", "--x=3", "\x1b=1"])
def test_another_form_is_refused(entry: str) -> None:
    with pytest.raises(ArgumentError, match="is no NAME=VALUE"):
        read_settings([entry])


def test_a_name_counts_once() -> None:
    with pytest.raises(ArgumentError, match="window is given twice"):
        read_settings(["window=3", "window=4"])
