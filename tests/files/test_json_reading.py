"""JSON from strangers ends in a value or in our own error, at once."""

import json
import os
from pathlib import Path

import pytest

from sam2lite.errors import BundleError
from sam2lite.files.json_reading import parse_json, read_json
from sam2lite.files.reading import printable, read_bytes

GOOD = b'{"a": [1, -2.5e3, true, null, "\\u00e9"], "b": 18446744073709551615}'


def parsed(raw: bytes) -> object:
    return parse_json(raw, "x.json", BundleError, "write it again")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_json_is_read_in_its_encodings(encoding: str) -> None:
    assert parsed(GOOD.decode().encode(encoding)) == json.loads(GOOD)


@pytest.mark.parametrize(
    ("raw", "match"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe\xfa", "not valid JSON"),
        (b"[NaN]", "NaN"),
        (b"[-Infinity]", "Infinity"),
        (b"1e400", "float64"),
        (b"[" + b"9" * 400 + b"]", "64 bits"),
        (b"9" * 5000, "64 bits"),
        (b"-18446744073709551616", "64 bits"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a' is there twice"),
        (b'["\\ud800"]', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),
        (b"[" * 65 + b"]" * 65, "deeper than 64"),
        (b"[" * 100_000, "too deep"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "too deep|deeper"),
    ],
)
def test_what_later_readers_stumble_over_is_refused(raw: bytes, match: str) -> None:
    with pytest.raises(BundleError, match=match) as caught:
        parsed(raw)
    assert "write it again" in str(caught.value)
    assert str(caught.value).isprintable()


def test_files_are_regular_and_of_a_size(tmp_path: Path) -> None:
    good = tmp_path / "a.json"
    good.write_bytes(GOOD)
    assert read_json(str(good), BundleError, "r") == json.loads(GOOD)
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "huge").open("wb") as stream:
        stream.truncate(64 << 30)
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "huge", "zero", "missing", "nul\0", "."):
        with pytest.raises(BundleError, match=r"; r$"):
            read_bytes(str(tmp_path / name), 1 << 20, BundleError, "r")


def test_text_for_terminals_has_no_control_characters() -> None:
    assert printable("a\x1b[2J\n\ud800é") == "a\\x1b[2J\\n\\ud800é"
