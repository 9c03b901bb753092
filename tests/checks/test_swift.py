"""What `make swift-test` does beside Swift: setting up, planting, recording, judging."""

import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sam2lite.contracts.families.sam2lite import META_VALID
from sam2lite.contracts.loop import LABEL_NEGATIVE
from sam2lite.contracts.manifest import loads
from tests.conftest import MINI
from tests.source_tree import ROOT

sys.path.append(str(ROOT / "checks"))

from swift import toolchain
from swift.clips import PROMPTS, RUNGS
from swift.faults import FAULTS, SOURCES, Fault
from swift.package import Outcome, Package
from swift.recording import manifest_of, record
from swift.toolchain import Toolchain, ToolchainError
from swift.verdicts import FAILED, LABEL, NOTICED, PASSED, Row, fault_row, judged, table

IOS = ROOT / "ios"
RAN = "Executed {} tests, with {} failures (0 unexpected) in 0.1 (0.1) seconds"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_changes_one_place(fault: Fault) -> None:
    source = (IOS / SOURCES / fault.file).read_text()
    assert fault.planted(source) != source


def test_fault_that_has_no_place_is_refused() -> None:
    with pytest.raises(ValueError, match=r"mend checks/swift/faults\.py"):
        Fault("x", "TimeModel.swift", "no such text", "").planted("let x = 1")


def test_there_are_ten_faults_of_different_names() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 10


def test_planting_leaves_the_source_alone_and_is_undone(tmp_path: Path) -> None:
    package = Package(IOS, tmp_path / "copy", tmp_path, Toolchain(tmp_path / "cache"))
    package.restore()
    before = {each: each.read_bytes() for each in (IOS / SOURCES).iterdir()}
    for fault in FAULTS[:2]:  # of two files
        package.plant(fault)
        copied = [(tmp_path / "copy" / SOURCES / each.name).read_bytes() for each in before]
        assert [a != b for a, b in zip(copied, before.values(), strict=True)].count(True) == 1
    touched = tmp_path / "copy" / SOURCES / FAULTS[0].file
    times = touched.stat().st_mtime_ns
    package.restore()
    assert touched.stat().st_mtime_ns == times  # what is right already is not written again
    assert before == {each: each.read_bytes() for each in before}
    assert (tmp_path / "copy" / SOURCES / FAULTS[1].file).read_bytes() in before.values()


class Fake(Package):
    """A package whose builds and tests end as they are told."""

    def __init__(self, build: int, test: Outcome) -> None:
        self._build_code = build
        self._test = test

    def plant(self, fault: Fault) -> None: ...

    def build(self) -> Outcome:
        return Outcome(self._build_code, "x.swift:1:1: error: no such thing", 1.0)

    def test(self) -> Outcome:
        return self._test


def test_fault_is_noticed_only_where_a_test_fails() -> None:
    words = "/root/T.swift:3: error: LoopTests.testA : XCTAssertEqual failed\n" + RAN.format(9, 1)
    noticed = fault_row(Fake(0, Outcome(1, words, 2.0)), FAULTS[0])
    assert (noticed.verdict, noticed.detail, noticed.seconds) == (NOTICED, "testA", 3.0)
    missed = fault_row(Fake(0, Outcome(0, RAN.format(9, 0), 2.0)), FAULTS[0])
    assert (missed.verdict, missed.detail) == (FAILED, "no test notices it")
    broken = fault_row(Fake(1, Outcome(0, "", 0.0)), FAULTS[0])
    assert broken.verdict == FAILED
    assert "does not compile" in broken.detail


@pytest.mark.parametrize(
    ("code", "words", "verdict"),
    [
        (0, RAN.format(9, 0), PASSED),
        (0, "", FAILED),  # nothing ran
        (0, "Executed 9 tests, with 3 tests skipped and 0 failures (0 unexpected)", FAILED),
        (1, RAN.format(9, 2), FAILED),
    ],
)
def test_tests_must_all_run_and_pass(code: int, words: str, verdict: str) -> None:
    assert judged(Outcome(code, words, 1.0)).verdict == verdict


def test_table_ends_with_the_sum_and_the_label() -> None:
    rows = [
        Row("run its tests", PASSED, 5),
        Row("fault: a", NOTICED, 9),
        Row("fault: b", FAILED, 9),
    ]
    *_, fault, last = table(rows).splitlines()
    assert "FAILED" in fault
    assert last == f"1 of 2 faults noticed; 23 s; {LABEL}"


def test_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda tool: None if tool == "unshare" else "/x")
    with pytest.raises(ToolchainError, match=r"unshare is missing.*the package util-linux"):
        toolchain.check_tools()


def done(code: int, stderr: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess([], code, "", stderr)


def test_namespaces_that_are_forbidden_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done(1))
    with pytest.raises(ToolchainError, match="run it as root"):
        toolchain.namespaces()


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toolchain:
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    monkeypatch.setattr(toolchain, "KEYRING", keyring)
    monkeypatch.setattr(toolchain, "TOOLS", {})
    monkeypatch.setattr(toolchain, "namespaces", lambda: ["unshare"])
    monkeypatch.setattr(toolchain, "NEEDED_BYTES", 0)
    monkeypatch.setattr(toolchain, "_output", lambda _: "amd64\n")
    return Toolchain(tmp_path / "cache", "http://mirror.invalid/debian")


def test_mirror_that_does_not_answer_is_named(
    fresh: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        subprocess, "run", lambda *_, **__: done(100, "W: x\nE: Could not resolve\n")
    )
    with pytest.raises(ToolchainError, match=r"mirror\.invalid.*Could not resolve.*--mirror"):
        fresh.set_up()


def test_keyring_and_room_are_asked_for(fresh: Toolchain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "NEEDED_BYTES", 1 << 60)
    with pytest.raises(ToolchainError, match=r"GB free and Swift needs.*--cache"):
        fresh.set_up()
    monkeypatch.setattr(toolchain, "NEEDED_BYTES", 0)
    toolchain.KEYRING.unlink()
    with pytest.raises(ToolchainError, match="debian-archive-keyring"):
        fresh.set_up()


def test_set_up_that_was_stopped_goes_on(fresh: Toolchain, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked: list[str] = []
    broken = {"swiftlang_6_amd64.deb"}
    archives = fresh.folder / "apt" / "archives"

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        if command[0] == "apt-get" and "install" in command:
            for name in ("bash_5_amd64.deb", "base-files_13_amd64.deb", "swiftlang_6_amd64.deb"):
                (archives / name).touch()
        if command[0] == "dpkg-deb":
            name = Path(command[2]).name
            if name in broken:
                return done(2, "dpkg-deb: error: unexpected end of file")
            unpacked.append(name.partition("_")[0])
        return subprocess.CompletedProcess(command, 0, "Swift version 6.0.3\n", "")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ToolchainError, match=r"swiftlang_6.*unexpected end.*run it again"):
        fresh.set_up()
    assert unpacked == ["base-files", "bash"]
    assert not (archives / "swiftlang_6_amd64.deb").exists()
    broken.clear()
    fresh.set_up()
    assert unpacked == ["base-files", "bash", "swiftlang"]  # what was done is not done again
    assert fresh.version == "Swift version 6.0.3"
    fresh.set_up()
    assert len(unpacked) == 3


def test_recording_reaches_what_it_is_for(mini_bundle: Path, tmp_path: Path) -> None:
    record(replace(PROMPTS, rungs=(240,)), mini_bundle, tmp_path / "clip")
    clip = json.loads((tmp_path / "clip" / "clip.json").read_text())
    floats = np.fromfile(tmp_path / "clip" / "tensors.bin", "<f4")

    def values(place: dict[str, Any]) -> np.ndarray:
        end = place["start"] + math.prod(place["shape"])
        return floats[place["start"] : end].reshape(place["shape"])

    shown = [each for step in clip["steps"] for each in step["shown"].values()]
    assert any(each["lost"] for each in shown)
    assert any(not each["lost"] and not each["visible"] for each in shown)
    assert all(0.05 < values(each["mask"]).mean() < 0.95 for each in shown if each["visible"])
    decoded = [call for call in clip["calls"] if call["key"] == "mask_decoder@240"]
    best = {int(values(call["outputs"]["iou_bm"]).argmax()) for call in decoded}
    assert best >= {1, 2, 3}  # the first one is what a broken choice would be
    labels = [values(call["inputs"]["prompt_label_bp"]) for call in decoded]
    assert any((each == LABEL_NEGATIVE).any() for each in labels)
    ranked = [call["inputs"] for call in clip["calls"] if call["key"] == "memory_select"]
    valid = [values(inputs["candidate_meta_bnc"])[0, :, META_VALID].sum() for inputs in ranked]
    assert max(valid) == MINI.budget  # the bank is full


def test_app_names_packages_as_the_target_does() -> None:
    committed = IOS / "Tests" / "SAM2LiteTests" / "Traces" / "manifest.json"
    manifest = loads(committed.read_bytes(), str(committed))
    functions = manifest_of(PROMPTS, manifest).graphs["mask_decoder@480"]
    assert (functions.file, functions.function) == ("graphs/mask_decoder.mlpackage", "r480")
    packages = manifest_of(RUNGS, manifest).graphs["mask_decoder@480"]
    assert (packages.file, packages.function) == ("graphs/mask_decoder_480.mlpackage", None)
