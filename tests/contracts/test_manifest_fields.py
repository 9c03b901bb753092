"""Every field of a manifest: its type and bounds, and what follows from several together."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sam2lite.contracts.manifest import Manifest, loads
from sam2lite.contracts.provenance import LINES, UNSTATED, UNTRAINED
from sam2lite.errors import BundleError

Data = dict[str, Any]


@pytest.fixture(scope="module")
def text(mini_bundle: Path) -> str:
    return (mini_bundle / "manifest.json").read_text()


def changed(text: str, path: str, value: Any) -> bytes:
    data = holder = json.loads(text)
    *names, last = path.split("/")
    for name in names:
        holder = holder[int(name) if isinstance(holder, list) else name]
    holder[int(last) if isinstance(holder, list) else last] = value
    return json.dumps(data).encode()


def test_what_exports_write_is_read_and_written_again(text: str) -> None:
    manifest = loads(text.encode(), "m")
    assert json.loads(manifest.dumps()) == json.loads(text)
    assert manifest.for_people() == manifest


def test_bundles_from_before_weights_had_a_word_are_read(text: str) -> None:
    data = json.loads(text)
    assert data["model"].pop("weights") == "untrained"
    old = loads(json.dumps(data).encode(), "m").model
    assert (old.weights, old.provenance) == ("untrained", LINES[UNTRAINED])
    data["model"]["trained"] = True
    old = loads(json.dumps(data).encode(), "m").model
    assert (old.weights, old.provenance) == (None, UNSTATED)
    again = loads(json.dumps({**data, "model": old._asdict()}).encode(), "m")
    assert again.model == old


def test_weights_that_are_trained_and_untrained_are_refused(text: str) -> None:
    for changes in ({"weights": "own"}, {"trained": True}):
        data = json.loads(text)
        data["model"].update(changes)
        with pytest.raises(BundleError, match=r"model\.trained is \w+, model\.weights is \w+"):
            loads(json.dumps(data).encode(), "m")


def test_aliases_are_read_and_written_again(text: str) -> None:
    assert '"aliases"' not in text
    aliases = {"kept_key_bnc": ["keys", "bank/keys:0"], "candidate_meta_bnc": ["meta"]}
    manifest = loads(changed(text, "graphs/memory_select/aliases", aliases), "m")
    assert manifest.graphs["memory_select"].aliases["kept_key_bnc"] == ("keys", "bank/keys:0")
    written = json.loads(manifest.dumps())
    assert written["graphs"]["memory_select"]["aliases"] == aliases
    assert manifest.for_people() == manifest


WRONG: list[Any] = [None, True, "text", -1, 0.5, [], {}, [[]], {"a": 1}]


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("model/name", str),
        ("model/trained", bool),
        ("model/parameters", int),
        ("model/config", dict),
        ("backend", str),
        ("target", dict),
        ("target/id", str),
        ("target/arena", bool),
        ("opset", int),
        ("rungs", list),
        ("rungs/0", int),
        ("graphs", dict),
        ("graphs/memory_select", dict),
        ("graphs/memory_select/name", str),
        ("graphs/memory_select/ranks", bool),
        ("graphs/memory_select/inputs", list),
        ("graphs/memory_select/inputs/0/shape", list),
        ("graphs/memory_select/inputs/0/shape/0", int),
        ("dims/240/R", int),
        ("stages", list),
        ("postprocess/mask_threshold", float),
        ("verification", dict),
        ("verification/loop/frames", int),
        ("verification/loop/min_iou", float),
        ("verification/graphs/memory_select/parity/kept_key_bnc", dict),
        ("verification/graphs/memory_select/passes", list),
        ("tools/torch", str),
        ("files/graphs~weights.bin/bytes", int),
        ("files/graphs~weights.bin/sha256", str),
        ("status", str),
    ],
)
def test_every_other_type_is_refused(text: str, path: str, right: type) -> None:
    text = text.replace("graphs/weights.bin", "graphs~weights.bin")
    for value in WRONG:
        fits = isinstance(value, (int, float) if right is float else right)
        if (fits and not isinstance(value, bool)) or type(value) is right:
            continue
        with pytest.raises(BundleError, match=r"m lacks or misstates a field .*export the bundle"):
            loads(changed(text, path, value), "m")


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("rungs", [480, 240], "rungs is a list of 2, not ascending"),
        ("rungs", [240, 240], "not ascending"),
        ("rungs", [0], r"rungs\[0\] is 0"),
        ("rungs", [8192], "1 to 4096"),
        ("rungs", list(range(1, 100)), "a list of 1 to 64"),
        ("model/weights", "best", "weights is 'best', not demo or own or smoke-test or untrained"),
        ("model/weights", True, "weights is True"),
        ("target/threads", 0, "1 to 1024"),
        ("target/threads", 1025, "1 to 1024"),
        ("opset", -1, "opset is -1"),
        ("stages", [], "a list of 1 to"),
        ("dims/240/B", 1 << 40, "dims.240.B"),
        ("graphs/memory_select/inputs/0/shape", [1 << 20, 1 << 20], r"have \d+ bytes"),
        ("graphs/memory_select/inputs/0/shape", [1] * 9, "a list of 0 to 8"),
        ("graphs/memory_select/inputs/0/dtype", "complex128", "dtype is 'complex128'"),
        ("graphs/memory_select/name", "mask_decoder", "is called mask_decoder"),
        ("graphs/memory_select/per_size", True, "is called memory_select"),
        ("graphs/memory_select/file", "../x", "may leave the folder"),
        ("graphs/../../x", {}, "is no graph's key"),
        ("graphs/Memory", {}, "is no graph's key"),
        ("graphs/memory_select/aliases", ["x"], "aliases is a list"),
        ("graphs/memory_select/aliases", {"kept_key_bnc": "x"}, "kept_key_bnc is 'x'"),
        ("graphs/memory_select/aliases", {"kept_key_bnc": []}, "a list of 1 to 16"),
        ("graphs/memory_select/aliases", {"kept_key_bnc": ["a\n"]}, "words that can be shown"),
        ("graphs/memory_select/aliases", {"kept_key_bnc": ["a" * 300]}, "words that can be shown"),
        ("graphs/memory_select/aliases", {"image": ["x"]}, "has image, which is no tensor"),
        ("graphs/memory_select/aliases", {"kept_key_bnc": ["x", "x"]}, "has x twice"),
        (
            "graphs/memory_select/aliases",
            {"kept_key_bnc": ["kept_value_bnc"]},
            "has kept_value_bnc twice",
        ),
        ("files/a", {"sha256": "0" * 64, "bytes": 5 << 30}, "bytes is 5368709120"),
        ("files/a", {"sha256": "0" * 64, "bytes": (4 << 30) - 1}, "no bundle has more than"),
        ("files/a", {"sha256": "x" * 64, "bytes": 1}, "64 hexadecimal digits"),
        ("files/a", {"sha256": "0" * 64, "bytes": 1, "c": 1}, "files.a.c is unknown"),
        ("files", {f"f{n}": {"sha256": "0" * 64, "bytes": 1} for n in range(3000)}, "of up to"),
        ("model/name", "a\x1b[31m", "words that can be shown"),
        ("model/name", "a" * 300, "words that can be shown"),
        ("verification/accuracy", {"clips": 1}, "accuracy.rung is missing"),
        ("verification/memory", {"sizes": []}, "memory.target is missing"),
        ("verification/loop/choices", {"stability": {"made": -1}}, "stability.made is -1"),
        ("verification/loop/choices", {"a\n": {}}, "words that can be shown"),
        ("verification/agreement", {"mean_iou": "high"}, "agreement.mean_iou is 'high'"),
        ("verification/agreement", {"clips": {}}, "agreement.clips is an object"),
        ("verification/agreement", {"clips": [{"masks": None}]}, r"clips\[0\].masks is"),
        ("verification/graphs/memory_select/float_layers", {"x": 1}, "float_layers.x is 1"),
        ("calibration", {"float_layers": [1]}, "calibration.float_layers is a list"),
    ],
)
def test_bounds(text: str, path: str, value: Any, named: str) -> None:
    if path == "graphs/../../x":
        data = json.loads(text)
        data["graphs"]["../../x"] = value
        raw = json.dumps(data).encode()
    else:
        raw = changed(text, path, value)
    with pytest.raises(BundleError, match=named):
        loads(raw, "m")


@pytest.mark.parametrize("version", [True, 2.0, "2", None, [2]])
def test_a_version_is_a_whole_number(text: str, version: Any) -> None:
    with pytest.raises(BundleError, match="schema version"):
        loads(changed(text, "schema_version", version), "m")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"opset": ', '"opset": 17, "opset": '),
        lambda text: text.replace('"opset": 17', '"opset": NaN'),
        lambda text: text.replace('"opset": 17', '"opset": 1' + "0" * 400),
        lambda text: text.replace('"opset": 17', '"opset": ' + "[" * 5000),
    ],
)
def test_what_only_python_takes_for_json_is_refused(
    text: str, change: Callable[[str], str]
) -> None:
    assert change(text) != text
    with pytest.raises(BundleError, match="m is not valid JSON"):
        loads(change(text).encode(), "m")


def test_people_see_no_control_characters(text: str) -> None:
    raw = changed(text, "memory/\x1b[2J", ["\x07", {"\x9b": "\u202e"}])
    shown: Manifest = loads(raw, "m").for_people()
    letters = "".join(str(part) for part in shown.memory.items())
    assert letters.isprintable()
    assert "\\x1b[2J" in letters
