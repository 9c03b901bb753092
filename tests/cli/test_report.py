"""`sam2lite report`: one file, whole and safe; with Chromium, that a browser has nothing to say."""

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from sam2lite.cli.main import app
from sam2lite.cli.reports.html.tracked import Moment, pictures, shown_ms
from sam2lite.contracts.provenance import LINES, UNTRAINED
from sam2lite.errors import BundleError, OutputError
from sam2lite.runtimes.video.writer import VideoWriter
from tests.cli.report_pages import (
    Page,
    bench_data,
    eval_data,
    rungs_data,
    sensitivity_data,
    sha256_of,
    track_data,
    track_folder,
    written,
)

EVIL = "<img src=x onerror=alert(1)>\"'&\x1b[2J</style></title>"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


@pytest.fixture(scope="module")
def everything(mini_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with all that there can be."""
    folder = tmp_path_factory.mktemp("page")
    sha256 = sha256_of(mini_bundle)
    given: list[object] = [
        *("--bench", written(folder / "bench.json", bench_data(sha256))),
        *("--bench", written(folder / "rungs.json", rungs_data(sha256))),
        *("--eval", written(folder / "eval.json", eval_data(sha256))),
        *("--track", track_folder(folder / "track", sha256)),
        *("--sensitivity", written(folder / "layers.json", sensitivity_data())),
    ]
    result = run(mini_bundle, *given, "-o", folder / "report.html")
    assert result.exception is None, result.output
    return folder / "report.html"


@pytest.fixture(scope="module")
def page(everything: Path) -> Page:
    return Page(everything.read_text("utf-8"))


def test_a_page_is_one_file_that_points_nowhere(page: Page) -> None:
    assert page.wrong == []
    assert not {"script", "link", "iframe", "object", "embed"} & page.tags.keys()
    for address in page.addresses:
        assert address.startswith("data:image/jpeg;base64,") or address[1:] in page.anchors
    assert len(set(page.anchors)) == len(page.anchors)


def test_a_page_says_what_the_bundle_is(page: Page, mini_bundle: Path) -> None:
    manifest = json.loads((mini_bundle / "manifest.json").read_text())
    assert LINES[UNTRAINED] in page.text
    assert sha256_of(mini_bundle) in page.text
    assert manifest["model"]["checkpoint_sha256"] in page.text
    assert all(key in page.text for key in manifest["graphs"])
    for name, entry in manifest["files"].items():
        assert name in page.text
        assert entry["sha256"] in page.text
    assert manifest["target"]["id"] in page.text


def test_a_page_shows_times_scores_and_layers(page: Page) -> None:
    for text in (
        "A processor, 2 cores",
        "the budget of 33 ms was missed",
        "competing load",
        "p99",
        "90% of the frames within it",
        "480 px",
        "61.0 °C in cpu",
        "55.5",
        "c/1, 2",
        "image_encoder.stem.0",
        "28.0 dB",
        "22.0 dB, IoU 0.970",
    ):
        assert text in page.text, text
    assert page.tags["svg"] == 4  # distribution, controller, predicted IoU, times of the track


def test_the_worst_frames_are_shown_as_they_are_in_the_overlay(everything: Path) -> None:
    html = everything.read_text("utf-8")
    found = re.findall(
        r'src="data:image/jpeg;base64,([^"]+)" alt="frame (\d+), object 1: ([^"]+)"', html
    )
    words = {int(index): text for _, index, text in found}
    assert words[40] == "predicted IoU 0.20"
    assert words[20] == "not seen for 8 frames, to 27"
    for encoded, index, _ in found:
        picture = cv2.imdecode(
            np.frombuffer(base64.b64decode(encoded), np.uint8), cv2.IMREAD_GRAYSCALE
        )
        assert picture is not None
        assert abs(int(picture[4, 4]) - 4 * int(index)) < 8  # frames are as grey as their number


@pytest.mark.parametrize("live", [False, True])
def test_pictures_are_found_by_their_time(tmp_path: Path, live: bool) -> None:
    """A board's overlay shows a frame for longer where others were dropped after it."""
    sources = [0, 1, 2, 8, 9, 20, 21, 22]  # frames of the source that were tracked
    with VideoWriter(str(tmp_path / "overlay.mp4"), 24.0, 96, 64) as video:
        for place in range(23):
            latest = max(source for source in sources if source <= place)
            video.write(np.full((64, 96, 3), 10 * latest, np.uint8))
    field = "capture_ms" if live else "pts_ms"
    frames = [{field: 5000.0 + 1000.0 * source / 24.0} for source in sources]
    times_ms = shown_ms({"live": live, "fps": 24.0, "frames": frames})
    moments = [Moment(index, "") for index in (7, 3, 5, 0)]
    found = pictures(tmp_path, moments, times_ms)
    assert found is not None
    assert [picture.moment.frame for picture in found] == [0, 3, 5, 7]
    for picture in found:
        raw = base64.b64decode(picture.address.partition(",")[2])
        grey = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert grey is not None
        assert abs(int(grey[30, 40]) - 10 * sources[picture.moment.frame]) < 5


def test_results_without_times_are_of_an_even_rate() -> None:
    frames = [{"pts_ms": 3.0}, {"pts_ms": None}, {}]
    assert shown_ms({"fps": 20.0, "frames": frames}) == [0.0, 50.0, 100.0]


def test_a_page_of_a_bundle_alone(mini_bundle: Path, tmp_path: Path) -> None:
    result = run(mini_bundle, "-o", tmp_path / "report.html")
    assert result.exception is None, result.output
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    assert page.anchors == ["bundle", "graphs", "files"]
    assert page.wrong == []


def test_what_int8_cost_is_shown(mini_bundle: Path, tmp_path: Path) -> None:
    data = json.loads((mini_bundle / "manifest.json").read_text())
    data["calibration"] = {
        "observer": "mse",
        "frames": 64,
        "source": "clips",
        "int8_layers": ["a", "b"],
        "float_layers": {"mask_decoder.iou": "loses too much"},
    }
    scores = {"jf": 50.0, "first_frame_j": 60.0}
    data["verification"]["accuracy"] = {
        "clips": 8,
        "rung": 240,
        "before": scores,
        "after": {"jf": 49.25, "first_frame_j": 60.0},
    }
    data["verification"]["graphs"]["memory_select"]["sqnr_db"] = {"out": 33.25}
    (tmp_path / "manifest.json").write_text(json.dumps(data))
    assert run(tmp_path, "-o", tmp_path / "report.html").exception is None
    text = Page((tmp_path / "report.html").read_text("utf-8")).text
    for words in ("49.25 (-0.75)", "2 in INT8, 1 kept in float", "loses too much", "33.2 dB"):
        assert words in text


def test_what_strangers_wrote_stays_text(mini_bundle: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "<b onclick=1>&"
    bundle.mkdir()
    data = json.loads((mini_bundle / "manifest.json").read_text())
    data["model"]["name"] = data["model"]["licence"] = data["status"] = EVIL.replace("\x1b", "")
    data["calibration"] = {"observer": "mse", "source": EVIL, "frames": 1}
    data["verification"]["accuracy"] = {
        "clips": 1,
        "rung": 240,
        "before": {"jf": 1.0, "first_frame_j": 1.0},
        "after": {"jf": 1.0, "first_frame_j": 1.0},
    }
    data["files"][EVIL.replace("/", "").replace("\x1b", "")] = {"sha256": "0" * 64, "bytes": 1}
    (bundle / "manifest.json").write_text(json.dumps(data))
    sha256 = sha256_of(bundle)
    bench = bench_data(sha256)
    bench["machine"]["model"] = bench["warnings"][0] = bench["video"]["name"] = EVIL
    bench["stages_ms"][EVIL] = bench["stages_ms"]["total"]
    scores = eval_data(sha256)
    scores["source"] = scores["per_object"][0]["clip"] = EVIL
    scores["baselines"][EVIL] = scores["baselines"].pop("copy")
    track = track_folder(tmp_path / "track", sha256)
    results = track_data(sha256)
    results["video"] = EVIL
    for frame in results["frames"]:
        frame["objects"][EVIL] = frame["objects"].pop("1")
    written(track / "results.json", results)
    layers = [{"name": f"image_encoder.{EVIL}", "sqnr_db": 1.0}]
    result = run(
        bundle,
        *("--bench", written(tmp_path / "a.json", bench)),
        *("--eval", written(tmp_path / "b.json", scores)),
        *("--track", track, "-o", tmp_path / "report.html"),
        *("--sensitivity", written(tmp_path / "c.json", layers)),
    )
    assert result.exception is None, result.exception
    html = (tmp_path / "report.html").read_text("utf-8")
    page = Page(html)
    assert page.wrong == []
    assert "onerror" not in re.sub(r"&lt;img src=x onerror=alert\(1\)&gt;", "", html)
    assert "b" not in page.tags
    assert all(address[:1] == "#" or address[:5] == "data:" for address in page.addresses)
    assert "\x1b" not in html
    assert page.text.count("<img src=x onerror=alert(1)>") >= 10


def changed(make: Callable[[str], Any], **changes: Any) -> Callable[[str], Any]:
    return lambda sha256: {**make(sha256), **changes}


@pytest.mark.parametrize(
    ("flag", "make", "message"),
    [
        ("--bench", lambda sha: b"", "is not valid JSON"),
        ("--bench", lambda sha: [], "is not a benchmark, as `sam2lite-bench --json` writes it"),
        ("--bench", lambda sha: {"bundle_sha256": sha}, "is not a benchmark.*rungs is missing"),
        ("--bench", eval_data, r"is not a benchmark.*rungs is an object of 1, not a list"),
        (
            "--bench",
            lambda sha: bench_data("0" * 64),
            "is of the bundle 000000000000, and",
        ),
        ("--bench", changed(bench_data, fps="fast"), "fps is 'fast', not a number"),
        ("--bench", changed(bench_data, frame_ms=[]), "frame_ms is a list of 0"),
        ("--eval", bench_data, r"is not scores, as .*clips is missing"),
        ("--eval", lambda sha: eval_data("1" * 64), "is of the bundle 111111111111"),
        ("--eval", changed(eval_data, model="tiny"), "scores of the model 'tiny' in PyTorch"),
        ("--sensitivity", lambda sha: {}, "is not what `sam2lite sensitivity --json` prints"),
        (
            "--sensitivity",
            lambda sha: [{"name": "trunk.0", "sqnr_db": 3.0}],
            "about another network: it has 'trunk.0'",
        ),
    ],
)
def test_files_that_do_not_fit_are_refused_in_a_sentence(
    mini_bundle: Path, tmp_path: Path, flag: str, make: Callable[[str], Any], message: str
) -> None:
    given = make(sha256_of(mini_bundle))
    path = tmp_path / "given.json"
    path.write_bytes(given if isinstance(given, bytes) else json.dumps(given).encode())
    result = run(mini_bundle, flag, path, "-o", tmp_path / "report.html")
    assert isinstance(result.exception, BundleError)
    assert re.search(message, str(result.exception))
    assert "\n" not in str(result.exception)
    assert [each.name for each in tmp_path.iterdir()] == ["given.json"]


def test_missing_things_are_said_in_a_sentence(mini_bundle: Path, tmp_path: Path) -> None:
    page = ("-o", tmp_path / "report.html")
    for arguments, message in (
        ((tmp_path / "none",), "there is no bundle at"),
        ((mini_bundle, "--bench", tmp_path / "none.json"), r"cannot read .*none\.json"),
        ((mini_bundle, "--track", tmp_path / "none"), "there is no folder .*sam2lite track -o"),
        ((mini_bundle, "--track", tmp_path), r"cannot read .*results\.json"),
    ):
        result = run(*arguments, *page)
        assert isinstance(result.exception, BundleError)
        assert re.search(message, str(result.exception))
    track = track_folder(tmp_path / "track", "0" * 64)
    assert "track with this one" in str(run(mini_bundle, "--track", track, *page).exception)
    assert not (tmp_path / "report.html").exists()


def test_a_track_without_overlay_says_so(mini_bundle: Path, tmp_path: Path) -> None:
    track = track_folder(tmp_path / "track", sha256_of(mini_bundle))
    (track / "overlay.mp4").unlink()
    result = run(mini_bundle, "--track", track, "-o", tmp_path / "report.html")
    assert result.exception is None, result.output
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    assert "There is no overlay.mp4 in the folder" in page.text
    assert "img" not in page.tags


def test_a_page_is_not_replaced_unasked(mini_bundle: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text("old")
    assert isinstance(run(mini_bundle, "-o", page).exception, OutputError)
    assert page.read_text() == "old"
    assert run(mini_bundle, "-o", page, "--force").exception is None
    assert page.read_text().startswith("<!doctype html>")
    nowhere = run(mini_bundle, "-o", tmp_path / "none" / "report.html")
    assert isinstance(nowhere.exception, OutputError)


def browse(page: Path, folder: Path, width: int) -> tuple[str, str, set[str]]:
    """Open a page in Chromium; return its document, its console, and who asked for something.

    The browser itself asks for things of its own, and is no origin then.
    """
    folder.mkdir()
    log = folder / "net.json"
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    options += [f"--user-data-dir={folder / 'profile'}", f"--window-size={width},2000"]
    command = ["chromium", *options, f"--log-net-log={log}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    console = "".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    origins = set(re.findall(r'"initiator":"([^"]*)"', log.read_text("utf-8", "replace")))
    return done.stdout, console, origins - {"not an origin"}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium")
@pytest.mark.parametrize("width", [360, 1200])
def test_a_browser_has_nothing_to_say(everything: Path, tmp_path: Path, width: int) -> None:
    """No error on the console, no request of any kind, and nothing wider than the page."""
    document, console, origins = browse(everything, tmp_path / "page", width)
    assert document.count("<section") == 8
    assert (console, origins) == ("", set())

    # The same page without its policy, and with what the policy forbids: all of that is noticed.
    html = re.sub(r"<meta http-equiv[^>]*>", "", everything.read_text("utf-8"))
    measured = "document.title = 'W' + document.documentElement.scrollWidth"
    probe = f"<script>{measured}; console.error('x')</script><img src='http://127.0.0.1:9/a.png'>"
    (tmp_path / "probe.html").write_text(html.replace("</body>", probe + "</body>"), "utf-8")
    document, console, origins = browse(tmp_path / "probe.html", tmp_path / "probe", width)
    assert "CONSOLE" in console
    assert origins
    (shown,) = re.findall(r"<title>W(\d+)</title>", document)
    assert int(shown) <= max(width, 500)  # no window of Chromium's is narrower
