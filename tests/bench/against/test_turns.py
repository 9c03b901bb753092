import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sam2lite.bench.against.choice import advice
from sam2lite.bench.against.turns import Contender, Course, Times, faster, run_in_turn
from sam2lite.cli.bundle import bench_against
from sam2lite.cli.bundle.bench import app
from sam2lite.cli.bundle.bench_against import opponent
from sam2lite.errors import ArgumentError, BundleError, SessionError
from sam2lite.runtimes.backends.openvino.loading import judge_openvino
from sam2lite.runtimes.bundle import open_bundle


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("one", "other", "winner"), [(10.0, 20.0, 0), (20.0, 10.0, 1), (10.0, 10.2, None)]
)
def test_near_medians_are_level(one: float, other: float, winner: int | None) -> None:
    assert faster([Times([one]), Times([other])]) == winner


def test_one_that_cannot_run_ends_in_a_sentence(openvino_bundle: Path) -> None:
    contender = Contender(str(openvino_bundle), "ort")
    with pytest.raises(SessionError, match=r"ort: .*9999"):
        run_in_turn([contender], Course(9999, 1), frames=1)


@pytest.mark.skipif(judge_openvino()[0], reason="OpenVINO is here")
def test_a_backend_that_is_not_here_ends_in_a_sentence(openvino_bundle: Path) -> None:
    contender = Contender(str(openvino_bundle), "openvino")
    with pytest.raises(SessionError, match=r"openvino: OpenVINO cannot be imported .* run: pip"):
        run_in_turn([contender], Course(240, 1), frames=1)


def test_what_a_bundle_is_measured_against(openvino_bundle: Path, mini_bundle: Path) -> None:
    bundle = open_bundle(str(openvino_bundle), "ort")
    assert opponent(bundle, "openvino").backend == "openvino"
    assert opponent(bundle, str(mini_bundle)).path == str(mini_bundle)
    with pytest.raises(ArgumentError, match="ort is what runs"):
        opponent(bundle, "ort")
    with pytest.raises(ArgumentError, match="trt"):
        opponent(bundle, "trt")
    with pytest.raises(BundleError):
        opponent(bundle, "no-such-folder")


def test_both_are_measured_and_the_faster_one_is_advised(
    openvino_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenVINO is stood for by ONNX Runtime, which tracks as many frames."""

    def as_ort(contenders: list[Contender], *rest: object) -> list[Times]:
        here = [Contender(each.bundle, "ort") for each in contenders]
        found = run_in_turn(here, *rest)  # type: ignore[arg-type]
        found[1].wall_ms = [2 * ms for ms in found[0].wall_ms]
        return found

    monkeypatch.setattr("sam2lite.bench.against.turns.run_in_turn", as_ort)
    written = tmp_path / "found.json"
    arguments = ["--bundle", str(openvino_bundle), "--backend", "ort", "--against", "openvino"]
    arguments += ["--frames", "7", "--rung", "240", "--threads", "1", "--json", str(written)]
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, arguments)
    assert result.exception is None, result.exception
    assert "on this machine ort is 2.00x as fast as openvino" in result.output
    report = json.loads(written.read_text())
    assert [row["backend"] for row in report["contenders"]] == ["ort", "openvino"]
    assert all(row["cpu_ms"] > 0 for row in report["contenders"])
    assert report["faster"] == 0
    assert str(advice()).endswith("take sam2lite-export ort")


@pytest.mark.parametrize(
    "more", [["--rungs"], ["--budget-ms", "30"], ["--load", "1"], ["--point", "3,4"]]
)
def test_what_does_not_go_with_it_is_refused(more: list[str], openvino_bundle: Path) -> None:
    arguments = ["--bundle", str(openvino_bundle), "--backend", "ort", "--against", "openvino"]
    result = CliRunner().invoke(app, [*arguments, *more])
    assert isinstance(result.exception, ArgumentError)
    assert "does not go with --against" in str(result.exception)


def test_bundles_without_a_size_in_common_are_refused(
    openvino_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = open_bundle(str(openvino_bundle), "ort")
    other = open_bundle(str(openvino_bundle), "openvino")
    other.manifest = other.manifest._replace(rungs=(288,))
    with pytest.raises(ArgumentError, match="with one in common"):
        bench_against.measure_against(
            one, other, rung=None, threads=1, objects=1, video=None, frames=1
        )
