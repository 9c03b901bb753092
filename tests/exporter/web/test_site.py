"""The folder that `sam2lite-export web` writes, and what it refuses."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from sam2lite.errors import ArgumentError, RecipeError
from sam2lite.exporter.backends import ExportRequest
from sam2lite.exporter.export import preview
from sam2lite.exporter.precision.schemes import Making
from sam2lite.exporter.progress import SILENT
from sam2lite.exporter.recipe import Recipe
from sam2lite.exporter.web.backend import EXPORTER, SITE
from sam2lite.exporter.web.runtime_files import ARCHIVE, FILES, NOTICE, VERSION, read_runtime
from sam2lite.models.loaded import LoadedModel
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.targets.registry import get_target
from tests.conftest import RUNGS
from tests.exporter.web.conftest import pack

INDEX = (SITE / "index.html").read_text(encoding="utf-8")
ISOLATION = (SITE / "isolation.js").read_text(encoding="utf-8")


def request_of(model: LoadedModel, output: Path, archive: Path) -> ExportRequest:
    recipe = Recipe(backend="web", runtime=archive, output=output)
    return ExportRequest(model, get_target("web"), "fp32", RUNGS[:1], output, recipe, SILENT)


def test_a_site_is_a_bundle_with_a_page(
    mini_model: LoadedModel, archive: Path, contents: dict[str, bytes], tmp_path: Path
) -> None:
    request = request_of(mini_model, tmp_path / "site", archive)
    EXPORTER.check(request)
    EXPORTER.make(request, Making(mini_model, request.target))
    bundle = open_bundle(str(request.output))  # compares every file with its hash
    page = {path.relative_to(SITE).as_posix() for path in SITE.rglob("*") if path.is_file()}
    runtime = {f"page/runtime/{name}" for name in (*contents, NOTICE)}
    assert page | runtime <= bundle.manifest.files.keys()
    assert (request.output / "page/runtime" / next(iter(contents))).read_bytes().startswith(b"//")
    # The graphs run here, too: that is what a browser's masks are compared with.
    frame = np.zeros((48, 64, 3), np.uint8)
    with VideoSegmenter(bundle) as segmenter:
        segmenter.prompt(frame, points=[(30, 20)])
        assert segmenter.track(frame).rung == RUNGS[0]


def test_all_that_the_page_names_is_there() -> None:
    for name in re.findall(r'(?:src|href)="([^"#]+)"', INDEX):
        beside = name == "manifest.json" or name.startswith("page/runtime/")
        assert beside or (SITE / name).is_file(), name
    for path in (SITE / "page").rglob("*.js"):
        for name in re.findall(r'from "([^"]+)"', path.read_text(encoding="utf-8")):
            assert (path.parent / name).is_file(), f"{name} in {path}"


def test_the_policy_keeps_the_page_to_its_server() -> None:
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', INDEX)
    parts = "".join(re.findall(r'^(?:const POLICY = |  \+ )"([^"]*)"', ISOLATION, re.MULTILINE))
    assert parts == policy  # workers get it from the service worker
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    allowed = {"'none'", "'self'", "'wasm-unsafe-eval'", "blob:"}
    assert {word for rule in rules.values() for word in rule.split()} <= allowed
    assert rules["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert rules["connect-src"] == "'self'"
    assert "style=" not in INDEX
    assert "<script>" not in INDEX


def test_the_runtime_is_taken_from_an_archive_or_a_folder(
    contents: dict[str, bytes], archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_runtime(archive) == contents
    for place in ("dist", "package/dist", "node_modules/onnxruntime-web/dist", "."):
        folder = tmp_path / place.replace("/", "-").replace(".", "itself")
        (folder / place).mkdir(parents=True)
        for name, content in contents.items():
            (folder / place / name).write_bytes(content)
        assert read_runtime(folder) == contents
    shutil.copy(archive, tmp_path / ARCHIVE)
    monkeypatch.chdir(tmp_path)
    assert read_runtime(None) == contents


def test_the_pinned_files_are_those_of_both_builds() -> None:
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in FILES.values())
    devices = (SITE / "page/loop/devices.js").read_text(encoding="utf-8")
    for build in re.findall(r'{ module: "([^"]+)", binary: "([^"]+)" }', devices):
        assert {build[0], f"{build[1]}.mjs", f"{build[1]}.wasm"} <= FILES.keys()
    assert VERSION in INDEX


@pytest.mark.parametrize("damage", ["changed", "missing", "text", "cut", "absent", "empty"])
def test_a_runtime_that_is_not_the_published_one_is_refused(
    damage: str, contents: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next(iter(contents))
    given: Path | None = tmp_path / "other.tgz"
    assert given is not None
    if damage == "changed":
        pack(given, {**contents, first: b"// other"})
    elif damage == "missing":
        pack(given, {name: content for name, content in contents.items() if name != first})
    elif damage == "text":
        given.write_text("no archive")
    elif damage == "cut":
        whole = pack(tmp_path / "whole.tgz", contents).read_bytes()
        given.write_bytes(whole[: len(whole) // 2])
    elif damage == "empty":
        (given := tmp_path / "empty").mkdir()
    else:
        given = None
        monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match=r"npm pack onnxruntime-web@1\.30\.0") as caught:
        read_runtime(given)
    assert caught.value.exit_code == 2
    assert ARCHIVE in str(caught.value)


def test_a_family_that_the_page_does_not_know_is_refused(
    mini_model: LoadedModel, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of(mini_model, tmp_path / "site", archive)
    family = mini_model.family._replace(name="other", title="Another")
    monkeypatch.setattr(type(mini_model), "family", family)
    with pytest.raises(ArgumentError, match=r"rules of sam2lite alone.*of Another.*export ort"):
        EXPORTER.check(request)


def test_nothing_is_exported_without_the_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match="not part of this package"):
        preview(Recipe(backend="web", output=tmp_path / "site"))
    with pytest.raises(RecipeError, match="`runtime` is not used by ort"):
        preview(Recipe(backend="ort", runtime=tmp_path, output=tmp_path / "bundle"))
