"""`quant` of recipes: presets, what every key says, and what is refused by its name."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from sam2lite.calibration.quant.reading import read_quant
from sam2lite.calibration.quant.refused import REFUSED
from sam2lite.calibration.quant.settings import SKIPS, USUAL
from sam2lite.errors import RecipeError, UnknownNameError
from sam2lite.exporter.quantization.presets import preset_names, preset_path
from sam2lite.exporter.quantization.skips import skipped
from sam2lite.exporter.recipe import Recipe
from sam2lite.models.loaded import LoadedModel

# As DeepCompressor's example for hiera-tiny reads, less what is refused.
LIKE_THEIRS: dict[str, Any] = {
    "calib": {"num_samples": 128},
    "wgts": {
        "dtype": "uint4",
        "zero_point": "PostScale",
        "static": True,
        "group_shapes": [[1, 128]],
        "scale_dtypes": ["torch.float16"],
        "kernel_gptq": {"damp_percentage": 0.02, "block_size": 64, "skips": ["*.qkv"]},
        "low_rank": {"rank": 64, "compensate": True, "skips": ["mask_decoder.*"]},
        "skip_patch_embed": True,
        "skip_decoder": False,
        "calib_range": {
            "objective": "TensorError",
            "strategy": "GridSearch",
            "granularity": "Group",
            "degree": 2.0,
            "num_grids": 100,
        },
    },
    "ipts": {"dtype": "uint8", "static": False, "per_token": True, "group_shapes": [[1, -1]]},
    "rotation": {"enabled": False},
    "smooth": {"enabled": True, "alpha": 0.5},
}


def nested(key: str, value: object) -> dict[str, Any]:
    """Return the mapping in which `quant.a.b` is a value."""
    found = value
    for part in reversed(key.split(".")[1:]):
        found = {part: found}
    assert isinstance(found, dict)
    return found


def test_every_key_says_what_it_says() -> None:
    read = read_quant(LIKE_THEIRS)
    assert read.precision == "w4a8"
    how = read.quantization
    assert (how.calib_frames, how.skips) == (128, ("patch_embed",))
    four = how.four_bits
    assert (four.grid.group, four.grid.symmetric) == (128, False)
    assert (four.search.power, four.search.tried) == (2.0, 100)
    assert four.gptq is not None
    assert (four.gptq.damping, four.gptq.block) == (0.02, 64)
    assert four.low_rank is not None
    assert (four.low_rank.rank, four.low_rank.from_weight) == (64, False)
    assert four.smooth is not None
    assert four.smooth.alphas == (0.5,)
    assert how.of_layer("a.qkv").gptq is None
    assert how.of_layer("mask_decoder.a").low_rank is None
    assert how.of_layer("a.proj") == four


@pytest.mark.parametrize(
    ("weights", "inputs", "precision"),
    [
        ("uint4", None, "w4"),
        ("sint4", "uint8", "w4a8"),
        ("int8", "uint8", "int8"),
        (None, "uint8", None),
    ],
)
def test_types_name_a_precision(weights: str | None, inputs: str | None, precision: str) -> None:
    data = {"wgts": {"dtype": weights}, "ipts": {"dtype": inputs}}
    if precision == "int8":
        data["ipts"]["static"] = True  # type: ignore[assignment]
    read = read_quant(data)
    assert read.precision == precision
    assert read.quantization.four_bits.grid.symmetric == (weights == "sint4")


@pytest.mark.parametrize("data", [{}, {"wgts": {}}, {"smooth": {"enabled": False}}])
def test_what_is_not_said_is_usual(data: dict[str, Any]) -> None:
    assert read_quant(data).quantization == USUAL


def test_null_leaves_a_step_out() -> None:
    four = read_quant({"wgts": {"kernel_gptq": None, "calib_range": None}}).quantization.four_bits
    assert four.gptq is None
    assert four.search.tried == 1


@pytest.mark.parametrize("key", [key for key in REFUSED if not key.endswith("!")])
def test_a_key_without_meaning_is_named_with_the_reason(key: str) -> None:
    with pytest.raises(RecipeError) as refused:
        read_quant(nested(key, 1))
    assert f"`{key}`" in str(refused.value)
    assert REFUSED[key] in str(refused.value)


@pytest.mark.parametrize("key", [key for key in REFUSED if key.endswith("!")])
def test_a_value_that_is_not_taken_is_named_with_the_reason(key: str) -> None:
    value = {"quant.ipts.static!": True, "quant.rotation.enabled!": True}.get(key, "other")
    data = nested(key.removesuffix("!"), value)
    data.setdefault("wgts", {}).setdefault("dtype", "uint4")
    with pytest.raises(RecipeError) as refused:
        read_quant(data)
    assert f"`{key.removesuffix('!')}`" in str(refused.value)
    assert REFUSED[key] in str(refused.value)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("quant.wgts.dtype", "uint3", "give uint4"),
        ("quant.wgts.group_shapes", [[1, 48]], "[[1, 32]]"),
        ("quant.wgts.group_shapes", 128, "[[1, 128]]"),
        ("quant.wgts.kernel_gptq.damp_percentage", -1, "a number from"),
        ("quant.wgts.kernel_gptq.block_size", 0, "a whole number from 1"),
        ("quant.wgts.kernel_gptq.skips", "qkv", "a list of patterns"),
        ("quant.wgts.low_rank.rank", 0, "a whole number from 1"),
        ("quant.wgts.low_rank.rank", True, "a whole number from 1"),
        ("quant.wgts.skip_decoder", "yes", "true or false"),
        ("quant.wgts.calib_range.degree", float("nan"), "a number from"),
        ("quant.calib.num_samples", 0, "a whole number from 1"),
        ("quant.smooth.alpha", 2.0, "a number from 0 to 1"),
        ("quant.smooth.alpha", "some", "grid"),
        ("quant.wgts.bits", 4, "no key of a recipe"),
        ("quant.wgts", [4], "a mapping"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(key: str, value: object, said: str) -> None:
    with pytest.raises(RecipeError) as refused:
        read_quant(nested(key, value))
    assert f"`{key}`" in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize("key", ["group_shapes", "kernel_gptq", "low_rank"])
def test_eight_bits_have_no_keys_of_four(key: str) -> None:
    value = [[1, 32]] if key == "group_shapes" else {"skips": []}
    with pytest.raises(RecipeError, match=f"quant.wgts.{key}"):
        read_quant({"wgts": {"dtype": "int8", key: value}, "ipts": {"static": True}})


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_recipes(name: str, tmp_path: Path) -> None:
    recipe = Recipe.named(name)
    assert recipe.precision == {"w4only": "w4", "w8a8": "int8"}.get(
        str(preset_path(name)).rsplit("/", 1)[-1].removesuffix(".yaml"), "w4a8"
    )
    assert recipe.model == Recipe().model
    recipe.save(tmp_path / "again.yaml")
    assert Recipe.load(tmp_path / "again.yaml") == recipe


def test_recipes_contradict_no_precision() -> None:
    with pytest.raises(RecipeError, match="`precision` is int8, and `quant`"):
        dataclasses.replace(Recipe.named("w4a8"), precision="int8")
    with pytest.raises(UnknownNameError, match="w4a8_svdquant"):
        Recipe.named("w4a16")
    with pytest.raises(RecipeError, match="a mapping"):
        Recipe(quant=4)  # type: ignore[arg-type]


def test_parts_are_found_without_names(mini_model: LoadedModel) -> None:
    parts = {skip: skipped(mini_model, skip) for skip in SKIPS}
    encoder = mini_model.family.image_encoder.name
    assert len(parts["patch_embed"]) == 1
    assert all(path.startswith(encoder) for path in (*parts["first_block"], *parts["last_block"]))
    assert not set(parts["first_block"]) & set(parts["last_block"])
    assert parts["decoder"]
    assert not any(path.startswith(encoder) for path in parts["decoder"])
