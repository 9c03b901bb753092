"""Recipes: their fields, what contradicts itself, and the YAML that strangers may write."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sam2lite.errors import OutputError, RecipeError, Sam2LiteError, UnknownNameError
from sam2lite.exporter.recipe import ALWAYS, FIELDS, Recipe


def test_fields_come_in_their_types() -> None:
    recipe = Recipe(model=Path("m"), sizes=[480, 240, 480], output="b", keep_float=["x.*"])  # type: ignore[arg-type]
    assert (recipe.model, recipe.sizes, recipe.output) == ("m", (240, 480), Path("b"))
    assert recipe.given().keys() == {"model", "sizes", "output", "keep_float"}
    assert hash(recipe) == hash(replace(recipe, sizes=(240, 480)))


def test_zero_is_given() -> None:
    assert Recipe(calib_seed=0, max_drop=0).given() == {"calib_seed": 0, "max_drop": 0.0}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("model", 3, "give text, in quotes"),
        ("model", "", "give text"),
        ("backend", None, "give text"),
        ("target", ["ios17"], "give text"),
        ("tensorrt", 10.3, "`tensorrt` is 10.3; give text, in quotes"),
        ("jetpack", 6, "in quotes"),
        ("sizes", 240, "a list of whole numbers, px"),
        ("sizes", [], "a list of whole numbers, px"),
        ("sizes", [240.0], "give a whole number"),
        ("sizes", [0], "choose 1 or more"),
        ("output", "a\0b", "give text"),
        ("opset", "17", "give a whole number"),
        ("calib_frames", True, "give a whole number"),
        ("calib_frames", 0, "choose 1 or more"),
        ("calib_frames", 10**12, "up to"),
        ("calib_seed", -1, "choose 0 or more"),
        ("keep_float", "x.*", "`keep_float` is 'x.*'; give a list of texts"),
        ("keep_float", [1], "give text"),
        ("max_drop", float("nan"), "`max_drop` is nan; give points, 0 or more"),
        ("max_drop", -1, "`max_drop` is -1; give points"),
        ("max_drop", "1", "give a number"),
        ("max_drop", 10**400, "give a number"),
        ("accept_drop", 1, "true or false"),
        ("accept_drop", "yes", "true or false"),
        ("skip_passes", {"a": 1}, "a list of texts"),
        ("force", "no", "true or false"),
    ],
)
def test_a_value_that_cannot_be_used_names_its_field(field: str, value: Any, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe(**{field: value})
    assert caught.value.field == field
    assert caught.value.exit_code == 2
    assert f"`{field}`" in str(caught.value)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("field", ["calib", "observer"])
def test_ranges_are_not_observed_as_well(field: str) -> None:
    with pytest.raises(RecipeError, match=f"`{field}` is for observing ranges") as caught:
        Recipe(ranges="ranges.json", **{field: "mse"})  # type: ignore[arg-type]
    assert caught.value.spelt({field: "--it", "ranges": "--ranges"}).startswith("--it is for")


def test_an_unknown_backend() -> None:
    with pytest.raises(UnknownNameError, match="did you mean coreml"):
        Recipe(backend="corml")


FULL: dict[str, Any] = {
    "model": "small",
    "variant": "one",
    "backend": "trt",
    "target": "jetson-orin-nano",
    "precision": "int8",
    "sizes": (240, 480),
    "output": Path("out/b"),
    "opset": 17,
    "jetpack": "6.2",
    "tensorrt": "10.3",
    "fallback": True,
    "device_app": True,
    "calib": "clip #1: a.mp4",
    "calib_frames": 8,
    "calib_seed": 0,
    "observer": "mse",
    "keep_float": ("mask_decoder.iou.*", "x: y", "é"),
    "max_drop": 0.0,
    "accept_drop": True,
    "skip_passes": ("fuse",),
    "runtime": Path("runtime.tgz"),
    "check_for": "jetson-nano",
}


@pytest.mark.parametrize("given", [{}, FULL, {"ranges": Path("r.json")}])
def test_yaml_gives_the_same_recipe_again(given: dict[str, Any], tmp_path: Path) -> None:
    recipe = Recipe(**given)
    recipe.save(tmp_path / "a.yaml")
    again = Recipe.load(tmp_path / "a.yaml")
    assert again == recipe
    again.save(tmp_path / "b.yaml")
    assert (tmp_path / "a.yaml").read_bytes() == (tmp_path / "b.yaml").read_bytes()
    assert set(FULL) | {"ranges", "force"} == set(FIELDS)


def test_force_is_in_no_file(tmp_path: Path) -> None:
    Recipe(force=True, output="b").save(tmp_path / "a.yaml")
    assert not Recipe.load(tmp_path / "a.yaml").force
    (tmp_path / "a.yaml").write_text("force: true\noutput: /home\n")
    with pytest.raises(RecipeError, match="`force` is no field of a file"):
        Recipe.load(tmp_path / "a.yaml")


def test_a_file_is_not_replaced_unasked(tmp_path: Path) -> None:
    Recipe().save(tmp_path / "a.yaml")
    with pytest.raises(OutputError, match="exists"):
        Recipe(opset=15).save(tmp_path / "a.yaml")
    Recipe(opset=15).save(tmp_path / "a.yaml", force=True)
    assert Recipe.load(tmp_path / "a.yaml").opset == 15
    with pytest.raises(OutputError, match="cannot write"):
        Recipe().save(tmp_path / "nowhere" / "a.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no fields"),
        ("just words", "holds no fields"),
        ("- backend: ort", "holds no fields"),
        ("backend: [", "no YAML"),
        ("a: b: c", "no YAML"),
        ("\tbackend: ort", "no YAML"),
        ("backend: ort\0", "no YAML"),
        ("backend: ort\nbackend: trt", "'backend' is there twice"),
        ("backend: ort\n---\nbackend: trt", "no YAML"),
        ("backend: &a ort\ntarget: *a", "alias"),
        ("? [backend]\n: ort", "no YAML"),
        ("output: !!python/object/apply:os.system ['true']", "no YAML"),
        ("target: 2026-99-99", "no YAML"),
        ("[" * 30_000, "nested too deep"),
        ("x" * (1 << 17), "bytes"),
        ("max_drp: 1", "did you mean max_drop"),
        ("max-drop: 1", "did you mean max_drop"),
        ("3: 4", "no name of a field"),
        ("backend: corml", "did you mean coreml"),
        ("tensorrt: 10.3", "`tensorrt` is 10.3; give text, in quotes"),
        ("target: 2026-11-30", "`target` is"),
        ("sizes: 240", "`sizes` is 240"),
        ("keep_float: x.*", "`keep_float`"),
        ("calib_frames: 0x" + "f" * 9000, "a number beyond reason"),
        ("observer: mse\nranges: r.json", "leave one out"),
    ],
)
def test_a_bad_file_is_one_sentence_that_names_it(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(Sam2LiteError) as caught:
        Recipe.load(path)
    assert caught.value.exit_code == 2
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    if not text.startswith("backend: corml"):
        assert str(caught.value).count("r.yaml") == 1


@pytest.mark.parametrize("raw", [None, b"\xff\xfe\x00"])
def test_what_is_no_text_is_no_recipe(raw: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(RecipeError, match=r"r\.yaml"):
        Recipe.load(path)
    with pytest.raises(RecipeError, match="no regular file"):
        Recipe.load(tmp_path)


def test_a_recipe_costs_nothing_to_import() -> None:
    code = (
        "import sys, sam2lite\n"
        "recipe = sam2lite.Recipe(sizes=[240])\n"
        "heavy = {'torch', 'onnx', 'yaml', 'numpy', 'typer', 'onnxruntime'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_always_is_a_part_of_the_fields() -> None:
    assert set(FIELDS) > ALWAYS
