import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sam2lite.errors import PromptError
from sam2lite.runtimes.commands.prompt_flags import FILE_FORM, parse_prompts


@pytest.fixture
def mask_file(tmp_path: Path) -> Path:
    mask = np.zeros((48, 64), np.uint8)
    mask[10:20, 10:30] = 1  # as DAVIS stores object 1: any value but 0 counts
    path = tmp_path / "mask, first.png"
    cv2.imwrite(str(path), mask)
    return path


@pytest.fixture
def prompts_file(tmp_path: Path) -> Path:
    return tmp_path / "prompts.json"


def write(path: Path, *entries: Any) -> Path:
    path.write_text(json.dumps({"prompts": entries}))
    return path


def cut_out(dtype: type, alpha_outside: float = 0.0) -> np.ndarray:
    """A white picture with alpha: opaque in a rectangle of 10 x 20, half so at its edge."""
    full = np.iinfo(dtype).max
    picture: np.ndarray = np.full((48, 64, 4), full, dtype)
    picture[:, :, 3] = int(alpha_outside * full)
    picture[10:20, 10:30, 3] = full
    picture[9, 10:30, 3] = full // 2
    return picture


COLOURED = np.zeros((48, 64, 3), np.uint8)
COLOURED[10:20, 10:30, 0] = 1  # too dark a blue for a grey of 8 bits


@pytest.mark.parametrize(
    ("picture", "pixels"),
    [
        (cut_out(np.uint8), 200),
        (cut_out(np.uint16), 200),
        (cut_out(np.uint8, alpha_outside=1.0) // 255 * 255, 48 * 64 - 20),
        (np.dstack([COLOURED, np.full((48, 64), 255, np.uint8)]), 200),
        (COLOURED, 200),
        (COLOURED.astype(np.uint16), 200),
    ],
    ids=["cut out", "16 bits", "a hole", "opaque", "colours", "colours of 16 bits"],
)
def test_alpha_is_the_mask_unless_it_is_opaque(
    picture: np.ndarray, pixels: int, tmp_path: Path
) -> None:
    path = tmp_path / "mask.png"
    cv2.imwrite(str(path), picture)
    prompt = parse_prompts([], [], [str(path)], None)[0][1]
    assert prompt.mask_hw is not None
    assert prompt.mask_hw.sum() == pixels


def test_nothing_gives_nothing() -> None:
    assert parse_prompts([], [], [], None) == {}


def test_label_and_object_are_1_unless_given() -> None:
    prompt = parse_prompts(["10,20"], [], [], None)[0][1]
    assert prompt.points_xy.tolist() == [[10, 20]]
    assert prompt.labels.tolist() == [1]


def test_flags_of_one_object_become_one_prompt() -> None:
    prompts = parse_prompts(["10,20", "30.5,40,0", "1,2,1,7"], ["5,5,50,40", "0,0,9,9,7"], [], None)
    assert list(prompts) == [0]
    assert list(prompts[0]) == [1, 7]
    first, seventh = prompts[0].values()
    assert first.points_xy.tolist() == [[10, 20], [30.5, 40]]
    assert first.labels.tolist() == [1, 0]
    assert first.box_xyxy is not None
    assert first.box_xyxy.tolist() == [5, 5, 50, 40]
    assert seventh.points_xy.tolist() == [[1, 2]]


@pytest.mark.parametrize(("suffix", "object_id"), [("", 1), (",3", 3)])
def test_masks_are_read(mask_file: Path, suffix: str, object_id: int) -> None:
    prompt = parse_prompts([], [], [f"{mask_file}{suffix}"], None)[0][object_id]
    assert prompt.mask_hw is not None
    assert prompt.mask_hw.shape == (48, 64)
    assert prompt.mask_hw.sum() == 200


def test_a_file_holds_prompts_for_any_frame(prompts_file: Path, mask_file: Path) -> None:
    write(
        prompts_file,
        {"frame": 30, "object": 2, "box": [1, 2, 3, 4]},
        {"points": [[1, 2], [3, 4]], "labels": [1, 0]},
        {"frame": 12, "mask": mask_file.name, "points": [[5, 6]]},
    )
    prompts = parse_prompts([], [], [], prompts_file)
    assert {frame: list(objects) for frame, objects in prompts.items()} == {
        0: [1],
        12: [1],
        30: [2],
    }
    assert list(prompts) == [0, 12, 30]
    assert prompts[0][1].labels.tolist() == [1, 0]
    assert prompts[12][1].mask_hw is not None


def test_a_file_and_flags_add_up(prompts_file: Path) -> None:
    write(prompts_file, {"points": [[3, 4]], "labels": [0]})
    prompt = parse_prompts(["1,2"], [], [], prompts_file)[0][1]
    assert prompt.points_xy.tolist() == [[1, 2], [3, 4]]
    assert prompt.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    "text", ["", "1", "1;2", "x,2", "1,2,3,4,5", "1,2,yes", "1,2,1,", "1,2,1,b"]
)
def test_malformed_points_are_quoted(text: str) -> None:
    with pytest.raises(PromptError) as caught:
        parse_prompts([text], [], [], None)
    assert str(caught.value) == f"cannot read '{text}'; the form is --point X,Y[,LABEL[,OBJECT]]"


@pytest.mark.parametrize("text", ["1,2,3", "1,2,3,4,5,6", "a,2,3,4", "1,2,3,4,5.5"])
def test_malformed_boxes_are_quoted(text: str) -> None:
    with pytest.raises(PromptError) as caught:
        parse_prompts([], [text], [], None)
    assert str(caught.value) == f"cannot read '{text}'; the form is --box X1,Y1,X2,Y2[,OBJECT]"


UNUSABLE_FLAGS = {
    "object 0": (["1,2,1,0"], [], "object 0 in '1,2,1,0'"),
    "label 2": (["1,2,2"], [], "frame 0, object 1: unknown label 2"),
    "NaN": (["nan,2"], [], "frame 0, object 1: .* finite"),
    "two boxes": ([], ["1,2,3,4", "5,6,7,8"], "frame 0, object 1: a second box"),
    "an empty box": ([], ["1,2,1,4,3"], "frame 0, object 3: .* has no area"),
}


@pytest.mark.parametrize(
    ("points", "boxes", "message"), UNUSABLE_FLAGS.values(), ids=UNUSABLE_FLAGS.keys()
)
def test_flags_that_cannot_be_used(points: list[str], boxes: list[str], message: str) -> None:
    with pytest.raises(PromptError, match=message):
        parse_prompts(points, boxes, [], None)


def test_masks_must_exist_and_be_lossless(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("not an image")
    for name, message in {
        "missing.png": "does not exist or is not an image",
        "text.png": "does not exist or is not an image",
        "mask.jpg": "must be a PNG file",
    }.items():
        with pytest.raises(PromptError, match=rf"{name}' {message}"):
            parse_prompts([], [], [str(tmp_path / name)], None)


UNUSABLE_ENTRIES = {
    "not an object": (5, "prompt 0 of .* is 5"),
    "unknown key": ({"pionts": [[1, 2]]}, "unknown key 'pionts' in prompt 0 of .*known: frame"),
    "negative frame": ({"frame": -1, "points": [[1, 2]]}, "frame -1 in prompt 0"),
    "fractional frame": ({"frame": 1.5, "points": [[1, 2]]}, "frame 1.5"),
    "true as object": ({"object": True, "points": [[1, 2]]}, "object True"),
    "object 0": ({"object": 0, "points": [[1, 2]]}, "object 0"),
    "points no list": ({"points": 5}, "two lists of one length"),
    "labels too few": ({"points": [[1, 2], [3, 4]], "labels": [1]}, "two lists of one length"),
    "mask no name": ({"mask": [[0, 1]]}, "is not the name of a file"),
    "empty": ({"frame": 4}, "frame 4, object 1: the prompt is empty"),
    "flat point": ({"points": [1, 2]}, "are not pairs"),
}


@pytest.mark.parametrize(
    ("entry", "message"), UNUSABLE_ENTRIES.values(), ids=UNUSABLE_ENTRIES.keys()
)
def test_entries_that_cannot_be_used(prompts_file: Path, entry: Any, message: str) -> None:
    with pytest.raises(PromptError, match=message):
        parse_prompts([], [], [], write(prompts_file, entry))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not valid JSON .*line 1.*the form is"),
        ("[]", "has no list of prompts; the form is"),
        ('{"prompts": {}}', "has no list of prompts"),
        ('{"prompts": [], "version": 1}', "unknown key 'version'"),
        ("\xff", "is not valid JSON"),
    ],
)
def test_files_that_cannot_be_used(prompts_file: Path, text: str, message: str) -> None:
    prompts_file.write_text(text, encoding="latin-1")
    with pytest.raises(PromptError, match=message):
        parse_prompts([], [], [], prompts_file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"none\.json: No such file"):
        parse_prompts([], [], [], tmp_path / "none.json")


def test_the_form_that_messages_show_has_every_key() -> None:
    quoted = FILE_FORM.replace("x1, y1, x2, y2", "1, 2, 3, 4").replace("x, y", "1, 2")
    assert set(json.loads(quoted)["prompts"][0]) == {
        "frame",
        "object",
        "points",
        "labels",
        "box",
        "mask",
    }
