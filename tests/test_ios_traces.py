"""The Swift package's expected values are what the Python loop gives today."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = runpy.run_path(str(ROOT / "checks" / "ios_traces.py"))
IOS = ROOT / "ios"
SWIFT = sorted(path for path in IOS.rglob("*.swift") if ".build" not in path.parts)


def flat(value: Any, where: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = dict(enumerate(value)).items()
    else:
        return {where: value}
    leaves = {where: f"{type(value).__name__} of {len(value)}"}
    for key, entry in pairs:
        leaves.update(flat(entry, f"{where}/{key}"))
    return leaves


def same(value: Any, expected: Any) -> bool:
    # Floats are recorded to 5 decimals; the last one may differ with the machine's libraries.
    if isinstance(value, float):
        return abs(value - expected) < 2e-5
    return bool(value == expected)


@pytest.mark.parametrize("name", SCRIPT["RECORDERS"])
def test_committed_trace_is_what_the_loop_gives(name: str) -> None:
    committed = json.loads((SCRIPT["TRACES"] / f"{name}.json").read_text())
    expected, given = flat(committed), flat(json.loads(json.dumps(SCRIPT["RECORDERS"][name]())))
    assert given.keys() == expected.keys()
    wrong = {where for where, value in given.items() if not same(value, expected[where])}
    assert not wrong, "run: python checks/ios_traces.py"


def test_traces_reach_what_they_are_for() -> None:
    light, windows = SCRIPT["controller"]()
    assert len({frame[1] for frame in light["frames"]}) >= 4
    assert {frame[3] for frame in light["frames"]} == {"holding", "settling", "saturated"}
    assert min(frame[2] for frame in windows["frames"]) == 2
    long, short = SCRIPT["bank"]()
    assert any(0 in step["meta_valid"][:128] for step in long["steps"][5:])
    assert sum(short["steps"][-1]["valid"]) < 128  # the window retires before the budget does


@pytest.mark.parametrize("path", SWIFT, ids=lambda path: path.name)
def test_swift_says_what_compiled_it(path: Path) -> None:
    label = "Experimental: compiled and run on Linux against doubles, never by Xcode"
    assert label in "".join(path.read_text().splitlines(True)[:2])
