"""What the export commands make of flags and of recipes, and what they refuse by its flag."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sam2lite.cli.export.main import app
from sam2lite.cli.main import app as main_app
from sam2lite.errors import ArgumentError, OutputError, Sam2LiteError, UnknownNameError
from sam2lite.exporter.recipe import Recipe

runner = CliRunner()


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def graph_hashes(bundle: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((bundle / "graphs").iterdir())
    }


@pytest.mark.parametrize(
    ("command", "refused"),
    [
        ("ort --max-drop 0.1", "--max-drop is not used by ort in fp32"),
        ("ort --max-drop 0", "--max-drop is not used by ort in fp32"),
        ("ort --keep-float x.*", "--keep-float is not used by ort in fp32"),
        ("ort --observer nosuch", "--observer is not used"),
        ("ort --calib /nowhere", "--calib is not used"),
        ("ort --calib-frames 8", "--calib-frames is not used"),
        ("ort --calib-seed 0", "--calib-seed is not used"),
        ("ort --ranges r.json", "--ranges is not used"),
        ("ort --accept-drop", "--accept-drop is not used"),
        ("ort --fp16 --max-drop 1", "--max-drop is not used by ort in fp16"),
        ("ort --fp16 --calib-frames 8", "or choose --precision int8"),
        ("trt --target jetson-nano --precision fp32 --calib a.mp4", "--calib is not used by trt"),
        ("trt --target jetson-nano --precision fp32 --calib-frames 8", "--calib-frames is not"),
        ("trt --target jetson-nano --keep-float x.*", "--keep-float is not used by trt in fp16"),
        ("trt --target jetson-nano --int8 --fallback --max-drop 1", "which int8 falls back to"),
        ("trt --target host --jetpack 6.2", "--jetpack does not go with --target host"),
        ("trt", "--target must be given"),
        ("onnx --calib a.mp4", "--calib is not used by onnx in fp32"),
        ("onnx --check-for arm64", "--check-for is 'arm64'"),
        ("ort --int8 --ranges r.json --calib a.mp4", "--calib is for observing ranges, and --ran"),
        ("ort --int8 --ranges r.json --observer mse", "--observer is for observing ranges"),
        ("ort --int8 --max-drop nan", "--max-drop is nan; give points"),
        ("ort --int8 --calib-frames 0", "--calib-frames is 0; choose 1 or more"),
        ("ort --int8 --fp16", "fp16 and int8 are asked for; choose one precision"),
        ("ort --rungs 240 --image-sizes 240,288", "mean the same and differ; give one"),
        ("ort --image-sizes big", "--image-sizes is 'big'"),
    ],
)
def test_a_flag_that_nobody_would_use_is_refused_by_its_name(
    command: str, refused: str, tmp_path: Path
) -> None:
    saved = ["--save-recipe", str(tmp_path / "r.yaml")]
    for more in ([], ["--dry-run"]):
        arguments = [*command.split(), "-o", str(tmp_path / "b"), *saved, *more]
        result = runner.invoke(app, arguments)
        assert isinstance(result.exception, ArgumentError), result.output
        assert result.exception.exit_code == 2
        assert refused in str(result.exception)
        assert "\n" not in str(result.exception)
        assert "`" not in str(result.exception).replace("`sam2lite targets`", "")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [
        "ort --jetpack 6.2",
        "ort --tensorrt 10.3",
        "ort --fallback",
        "ort --check-for jetson-nano",
        "trt --opset 13",
        "trt --device-app",
        "coreml --max-drop 1",
        "coreml --opset 13",
        "onnx --target ios17",
        "onnx --device-app",
        "onnx --keep-float x.*",
    ],
)
def test_a_flag_of_another_command_is_none_of_this_one(command: str, tmp_path: Path) -> None:
    result = runner.invoke(app, [*command.split(), "-o", str(tmp_path / "b")])
    assert result.exit_code == 2
    assert "No such option" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_exit_code_is_2_and_the_flag_is_named(tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "sam2lite-export"
    command = [str(program), "ort", "--keep-float", "x.*", "--dry-run", "-o", str(tmp_path / "b")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --keep-float is not used by ort in fp32; leave it out")
    assert (done.stderr.count("\n"), done.stdout) == (1, "")


def test_image_sizes_and_rungs_mean_the_same(model: str, tmp_path: Path) -> None:
    plans = []
    for flags in (
        ["--rungs", "288,240"],
        ["--image-sizes", "240,288"],
        ["--rungs", "240,288", "--image-sizes", "288, 240"],
    ):
        arguments = ["ort", "--model", model, *flags, "-o", str(tmp_path / "b"), "--dry-run"]
        plans.append(json.loads(runner.invoke(app, [*arguments, "--json"]).stdout)["graphs"])
    assert len(plans[0]) == 7
    assert plans[0] == plans[1] == plans[2]


def test_a_saved_recipe_gives_the_same_graphs(model: str, tmp_path: Path) -> None:
    saved = tmp_path / "r.yaml"
    flags = ["--model", model, "--image-sizes", "240", "--opset", "15", "--precision", "fp16"]
    arguments = ["ort", *flags, "-o", str(tmp_path / "a"), "--save-recipe", str(saved)]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    again = runner.invoke(app, ["ort", "--recipe", str(saved), "-o", str(tmp_path / "b")])
    assert again.exit_code == 0, again.output
    assert graph_hashes(tmp_path / "a") == graph_hashes(tmp_path / "b")
    assert len(graph_hashes(tmp_path / "a")) == 5  # their weights in one file
    refused = runner.invoke(app, [*arguments, "-o", str(tmp_path / "c")])
    assert isinstance(refused.exception, OutputError)
    assert "r.yaml exists" in str(refused.exception)
    assert not (tmp_path / "c").exists()


def test_flags_override_a_recipe(model: str, tmp_path: Path) -> None:
    path, saved = tmp_path / "r.yaml", tmp_path / "s.yaml"
    Recipe(
        model=model,
        backend="trt",
        target="jetson-orin-nano",
        precision="int8",
        sizes=[240, 288],
        max_drop=0.5,
        output=tmp_path / "of-the-file",
    ).save(path)
    arguments = ["trt", "--recipe", str(path), "--save-recipe", str(saved), "--dry-run", "--json"]
    plan = json.loads(runner.invoke(app, arguments).stdout)
    assert (plan["target"], plan["precision"]) == ("jetson-orin-nano", "int8")
    assert plan["output"] == str(tmp_path / "of-the-file")
    more = ["--rungs", "240", "--max-drop", "0", "--output", "other", "--force"]
    plan = json.loads(runner.invoke(app, [*arguments, *more]).stdout)
    assert plan["output"] == "other"
    assert "image_encoder@288" not in plan["graphs"]
    merged = Recipe.load(saved)
    assert (merged.sizes, merged.max_drop, merged.precision) == ((240,), 0.0, "int8")
    assert not (tmp_path / "other").exists()


def test_what_the_file_is_to_blame_for_is_called_so(model: str, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(f"model: {model}\nmax_drop: 1\noutput: {tmp_path / 'b'}\n")
    error = runner.invoke(app, ["ort", "--recipe", str(path)]).exception
    assert f"max_drop of {path} is not used by ort in fp32" in str(error)
    assert "--max-drop" not in str(error)
    error = runner.invoke(app, ["ort", "--recipe", str(path), "--max-drop", "2"]).exception
    assert "--max-drop is not used by ort in fp32" in str(error)
    assert runner.invoke(app, ["ort", "--recipe", str(path), "--int8", "--dry-run"]).exit_code == 0
    error = runner.invoke(app, ["trt", "--recipe", str(path)]).exception
    assert f"{path} is for backend ort" in str(error)


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("max_drp: 1", UnknownNameError, "did you mean max_drop"),
        ("sizes: 240", ArgumentError, "`sizes` is 240"),
        ("backend: [", ArgumentError, "no YAML"),
        ("- ort", ArgumentError, "holds no fields"),
        ("force: true", ArgumentError, "is no field of a file"),
    ],
)
def test_a_bad_recipe_ends_with_2_and_writes_nothing(
    text: str, error: type[Sam2LiteError], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(text)
    result = runner.invoke(app, ["ort", "--recipe", str(path), "-o", str(tmp_path / "b")])
    assert isinstance(result.exception, error)
    assert result.exception.exit_code == 2
    assert said in str(result.exception)
    assert [found.name for found in tmp_path.iterdir()] == ["r.yaml"]


def test_without_a_folder_to_write_it_says_so() -> None:
    error = runner.invoke(app, ["ort", "--dry-run"]).exception
    assert str(error) == "--output is not given; name the folder to write"


def test_help_says_input_size() -> None:
    for command in ("ort", "trt", "coreml", "onnx"):
        shown = runner.invoke(app, [command, "--help"], env={"COLUMNS": "200"}).stdout
        assert "--image-sizes" in shown
        assert "Input sizes to export" in shown
    assert "rung" not in runner.invoke(main_app, ["track", "--help"]).stdout.replace("--rung", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ort", "--recipe", "w4a16"], "known: .*w4a8_svdquant"),
        (["ort", "--recipe", "nothing.yaml"], "nothing.yaml"),
        (["trt", "--recipe", "w4a8"], "for backend ort"),
        (["ort", "--recipe", "w4a8", "--int8"], "--precision is int8, and .*types of w4a8"),
        (["ort", "--recipe", "w4only", "--precision", "w4a8"], "types of w4"),
    ],
)
def test_recipes_by_name_that_do_not_meet(arguments: list[str], said: str, tmp_path: Path) -> None:
    result = runner.invoke(app, [*arguments, "-o", str(tmp_path / "b")])
    assert isinstance(result.exception, ArgumentError)
    assert re.search(said, str(result.exception))
    assert not (tmp_path / "b").exists()
