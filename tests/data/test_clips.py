"""Procedural clips: determinism, exact labels, every effect, clicks."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import cv2
import numpy as np
import pytest

from sam2lite.data.clips import (
    Clip,
    ClipConfig,
    Effect,
    first_click,
    generate_clip,
    training_config,
)
from sam2lite.data.clips.objects.actors import Part, reach_of
from sam2lite.data.clips.objects.holed import draw_holed
from sam2lite.data.clips.objects.outlines import KINDS, VERTICES, draw_outline
from sam2lite.data.clips.objects.raster import draw_part
from sam2lite.data.clips.objects.tracks import Track
from sam2lite.data.clips.scene import draw_scene
from sam2lite.data.clips.surroundings.bands import draw_thin
from sam2lite.errors import ArgumentError, UnknownNameError

SMALL = ClipConfig(height=48, width=64, frames=6)
FULL = replace(training_config(64, 6), height=48)
EFFECTS = [field.name for field in fields(ClipConfig) if isinstance(field.default, Effect)]


def with_effect_of(config: ClipConfig, name: str, effect: Effect) -> ClipConfig:
    changes: dict[str, Any] = {name: effect}
    return replace(config, **changes)


STILLED: dict[str, Any] = {name: Effect(0.0, 1.0) for name in EFFECTS}
STILL = replace(
    SMALL,
    leave_probability=0.0,
    occluder_probability=0.0,
    **STILLED,
)


def same(a: Clip, b: Clip) -> bool:
    return np.array_equal(a.frames_rgb_thwc, b.frames_rgb_thwc) and np.array_equal(
        a.labels_thw, b.labels_thw
    )


def digest(clip: Clip) -> str:
    return hashlib.sha256(clip.frames_rgb_thwc.tobytes() + clip.labels_thw.tobytes()).hexdigest()


# Determinism


def test_a_seed_gives_the_same_clip_in_any_order() -> None:
    forward = [generate_clip(seed, FULL) for seed in range(4)]
    backward = [generate_clip(seed, FULL) for seed in reversed(range(4))][::-1]
    assert all(same(a, b) for a, b in zip(forward, backward, strict=True))
    assert not same(forward[0], forward[1])


def test_a_seed_gives_the_same_clip_in_another_process() -> None:
    program = (
        "import hashlib; from sam2lite.data.clips import ClipConfig, generate_clip;"
        "c = generate_clip(7, ClipConfig(height=48, width=64, frames=6));"
        "print(hashlib.sha256(c.frames_rgb_thwc.tobytes() + c.labels_thw.tobytes()).hexdigest())"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.strip()
    assert printed == digest(generate_clip(7, SMALL))


def test_seed_spaces_share_nothing() -> None:
    assert not same(generate_clip(3, SMALL), generate_clip(3, replace(SMALL, seed_space=1)))


def test_clips_do_not_touch_global_random_state() -> None:
    np.random.seed(1)
    before = np.random.random(3)
    np.random.seed(1)
    generate_clip(0, SMALL)
    assert np.array_equal(before, np.random.random(3))


# Labels


@pytest.mark.parametrize("seed", range(8))
def test_a_clip_is_consistent(seed: int) -> None:
    clip = generate_clip(seed, SMALL)
    assert clip.frames_rgb_thwc.shape == (6, 48, 64, 3)
    assert clip.frames_rgb_thwc.dtype == clip.labels_thw.dtype == np.uint8
    assert clip.object_ids == sorted(set(np.unique(clip.labels_thw).tolist()) - {0})
    for column, object_id in enumerate(clip.object_ids):
        area = (clip.labels_thw == object_id).sum((1, 2))
        assert np.array_equal(clip.visible_area_tn[:, column], area)


def flat_part(shape: np.ndarray, radius_px: float, centre: float) -> Part:
    """A white part with outlines [C, V, 2] that stands still for three frames."""
    pose = np.array([[radius_px, 0.0, centre], [0.0, radius_px, centre]])
    skin = np.full((16, 16, 3), 255, np.uint8)
    outlines = np.tile(shape, (3, 1, 1, 1))
    return Part(1, skin, reach_of(outlines), outlines, np.tile(pose, (3, 1, 1)))


def draw(
    part: Part, side: int, name: int = 9, velocity: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    part.poses[:, 0, 2] += velocity * np.arange(-1, 2)
    frame, names = np.zeros((side, side, 3), np.uint8), np.zeros((side, side), np.uint16)
    draw_part(frame, names, name, Track(part, side, side, shutter=1.0), 1)
    return frame, names


@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_is_the_outline_to_half_a_pixel(
    kind: Callable[[np.random.Generator], np.ndarray],
) -> None:
    part = flat_part(kind(np.random.default_rng(5))[None], 30.0, 63.7)
    frame, names = draw(part, 128)
    assert np.array_equal(names == 9, frame[..., 0] > 127)
    polygon = part.polygons()[1, 0]
    contour = polygon.astype(np.float32).reshape(-1, 1, 2)
    depth = np.array(
        [[cv2.pointPolygonTest(contour, (x, y), True) for x in range(128)] for y in range(128)]
    )
    assert (names[depth > 0.75] == 9).all()
    assert (names[depth < -0.75] == 0).all()
    x, y = polygon.T
    area = 0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1))
    assert (names == 9).sum() == pytest.approx(area, rel=0.02)


def test_a_hole_shows_what_is_behind() -> None:
    circle = KINDS[0](np.random.default_rng(0))
    frame, names = draw(flat_part(np.stack([circle, 0.5 * circle]), 20.0, 32.0), 64)
    assert [names[32, x] for x in (32, 40, 45, 50, 55)] == [0, 0, 9, 9, 0]
    assert not frame[32, 32].any()


def test_motion_blur_stays_out_of_the_mask() -> None:
    circle = KINDS[0](np.random.default_rng(0))[None]
    frames, names = zip(
        *(draw(flat_part(circle, 8.0, 32.0), 64, velocity=v) for v in (0.0, 12.0)), strict=True
    )
    assert np.array_equal(names[0], names[1])
    lit = [(frame[..., 0] > 10).any(0).sum() for frame in frames]  # columns
    assert lit[1] == pytest.approx(lit[0] + 12, abs=3)


def test_the_later_part_hides_the_earlier_one() -> None:
    circle = KINDS[0](np.random.default_rng(0))[None]
    frame, names = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint16)
    for name, radius_px in ((1, 20.0), (2, 10.0), (0, 5.0)):
        draw_part(frame, names, name, Track(flat_part(circle, radius_px, 32.0), 64, 64, 0.0), 0)
    assert [names[32, x] for x in (32, 40, 48, 60)] == [0, 2, 1, 0]


def test_a_part_outside_the_frame_leaves_it_untouched() -> None:
    frame, names = draw(flat_part(KINDS[0](np.random.default_rng(0))[None], 8.0, -50.0), 64)
    assert not frame.any()
    assert not names.any()


@pytest.mark.parametrize("size", [0.06, 0.70])
def test_object_size_is_the_diameter_of_the_same_area(size: float) -> None:
    config = replace(STILL, object_size=(size, size), objects=(3, 3))
    for actor in draw_scene(np.random.default_rng(1), config).actors:
        area = cv2.contourArea(actor.body.polygons()[0, 0].astype(np.float32))
        assert area == pytest.approx(np.pi * (0.5 * size * 48) ** 2, rel=1e-3)


@pytest.mark.parametrize("seed", range(20))
def test_outlines_hold_their_centre(seed: int) -> None:
    outline = draw_outline(np.random.default_rng(seed))
    assert outline.shape == (VERTICES, 2)
    assert cv2.pointPolygonTest(outline.astype(np.float32)[:, None], (0, 0), False) > 0


@pytest.mark.parametrize("seed", range(20))
def test_shapes_with_holes_have_their_holes_inside(seed: int) -> None:
    outer, *holes = draw_holed(np.random.default_rng(seed), finest=0.1).astype(np.float32)
    assert cv2.contourArea(outer) == pytest.approx(np.pi, rel=1e-3)
    for hole in holes:
        depths = [cv2.pointPolygonTest(outer[:, None], xy.tolist(), True) for xy in hole]
        assert min(depths) > 0.0


@pytest.mark.parametrize("seed", range(20))
def test_thin_shapes_are_thin_but_never_vanish(seed: int) -> None:
    shape = draw_thin(np.random.default_rng(seed), finest=0.1)
    frame, _ = draw(flat_part(shape, 60.0, 128.0), 256)
    solid = (frame[..., 0] > 127).astype(np.uint8)
    assert 0.01 < solid.sum() / (np.pi * (1.6 * 60.0) ** 2) < 0.35  # of the circle they reach
    widest = 2.0 * cv2.distanceTransform(np.pad(solid, 1), cv2.DIST_L2, 5).max()
    assert 0.1 * 60.0 - 1.5 < widest < 1.2 * 60.0
    assert cv2.connectedComponents(solid)[0] == 2


# Objects of several parts


def jointed(**changes: Any) -> ClipConfig:
    one = replace(STILL, height=96, width=96, objects=(1, 1), object_size=(0.4, 0.4))
    return replace(one, limbs_probability=1.0, **changes)


def test_limbs_belong_to_their_object_and_are_parts_of_it() -> None:
    clip = generate_clip(1, jointed())
    assert clip.object_ids == [1]
    assert np.array_equal(clip.parts_thw > 0, clip.labels_thw > 0)
    assert {1, 2, 3} <= set(np.unique(clip.parts_thw).tolist())


def test_limbs_swing_while_the_body_stands_still() -> None:
    clip = generate_clip(1, jointed(swing=Effect(1.0, 60.0)))
    body = clip.parts_thw == 1
    assert (body == body[0]).all()
    assert not (clip.labels_thw == clip.labels_thw[0]).all()


def test_patches_are_parts_within_the_object() -> None:
    plain = replace(STILL, height=96, width=96, objects=(1, 1), object_size=(0.6, 0.6))
    clip = generate_clip(3, replace(plain, patch_probability=1.0))
    assert clip.object_ids == [1]
    assert (clip.parts_thw[0] == 2).any()
    assert (clip.parts_thw[0] == 1).sum() > (clip.parts_thw[0] > 1).sum()


@pytest.mark.parametrize("seed", range(6))
def test_a_rider_lies_on_its_carrier_and_moves_with_it(seed: int) -> None:
    config = replace(STILL, objects=(2, 2), rider_probability=1.0, motion=Effect(1.0, 0.5))
    carrier, rider = draw_scene(np.random.default_rng(seed), config).actors
    assert (carrier.label, rider.label) == (1, 2)
    apart = rider.body.poses[:, :, 2] - carrier.body.poses[:, :, 2]
    assert (np.linalg.norm(apart, axis=1) < carrier.body.radius_px()).all()
    assert rider.body.radius_px() < carrier.body.radius_px()


def test_paths_meet() -> None:
    config = replace(STILL, objects=(2, 2), meeting_probability=1.0, motion=Effect(1.0, 0.5))
    for seed in range(10):
        one, other = draw_scene(np.random.default_rng(seed), config).actors
        apart = np.linalg.norm(one.body.poses[:, :, 2] - other.body.poses[:, :, 2], axis=1)
        reach = one.body.radius_px() + other.body.radius_px()
        assert apart.min() < reach


def test_stuff_is_numbered_after_the_objects_and_fills_what_they_leave() -> None:
    config = replace(STILL, objects=(2, 2), object_size=(0.2, 0.2), stuff_probability=1.0)
    clips = [generate_clip(seed, config) for seed in range(12)]
    assert all(clip.object_ids[-1] in (3, 4) for clip in clips)
    areas = [clip.visible_area_tn[0, clip.object_ids.index(3)] for clip in clips]
    assert min(areas) > 0.05 * 48 * 64
    both = [clip for clip in clips if clip.object_ids[-1] == 4]
    assert both
    assert all(clip.labels_thw.all() for clip in both)


def test_a_shadow_darkens_beside_the_object_and_stays_out_of_the_mask() -> None:
    config = replace(STILL, objects=(1, 1), object_size=(0.3, 0.3))
    plain = generate_clip(2, config)
    shaded = generate_clip(2, replace(config, shadow=Effect(1.0, 0.6)))
    assert np.array_equal(plain.labels_thw, shaded.labels_thw)
    change = shaded.frames_rgb_thwc[0].astype(int).sum(2) - plain.frames_rgb_thwc[0].sum(2)
    assert change.min() < -20
    assert change.max() <= 0
    assert not change[cv2.erode(plain.labels_thw[0], np.ones((3, 3), np.uint8)) == 1].any()


def test_training_clips_have_the_size_asked_for() -> None:
    clip = generate_clip(0, training_config(64, 3))
    assert clip.frames_rgb_thwc.shape == (3, 64, 64, 3)
    assert training_config(64, 3).seed_space == 0
    with pytest.raises(ArgumentError, match="height"):
        training_config(8, 3)


@pytest.mark.parametrize("seed", range(12))
def test_parts_are_where_objects_are(seed: int) -> None:
    clip = generate_clip(seed, training_config(64, 4))
    assert clip.parts_thw.shape == clip.labels_thw.shape
    assert clip.parts_thw.dtype == np.uint8
    assert np.array_equal(clip.parts_thw > 0, clip.labels_thw > 0)


# Effects


def test_without_effects_nothing_moves() -> None:
    clip = generate_clip(2, STILL)
    assert (clip.frames_rgb_thwc == clip.frames_rgb_thwc[0]).all()
    assert (clip.labels_thw == clip.labels_thw[0]).all()


@pytest.mark.parametrize("name", EFFECTS)
def test_every_effect_changes_the_clip(name: str) -> None:
    # Parallax and motion blur need some motion, swing needs limbs.
    base = replace(STILL, pan=Effect(1.0, 1.0), limbs_probability=1.0)
    effect = Effect(1.0, 2.0 * getattr(base, name).strength)
    without, with_effect = (
        generate_clip(4, base),
        generate_clip(4, with_effect_of(base, name, effect)),
    )
    assert not np.array_equal(without.frames_rgb_thwc, with_effect.frames_rgb_thwc)


@pytest.mark.parametrize(
    "name", ["gain", "vignette", "blur", "motion_blur", "noise", "compression"]
)
def test_the_lens_leaves_the_labels_alone(name: str) -> None:
    changed = with_effect_of(SMALL, name, Effect(1.0, 1.0))
    plain = with_effect_of(SMALL, name, Effect(0.0, 1.0))
    assert np.array_equal(generate_clip(5, plain).labels_thw, generate_clip(5, changed).labels_thw)


def alike(skin: np.ndarray, other: np.ndarray) -> bool:
    same_size = skin.shape == other.shape
    return same_size and np.corrcoef(skin.ravel(), other.ravel())[0, 1] > 0.98


def test_twins_share_texture_or_shape() -> None:
    config = replace(STILL, objects=(4, 4), twin_probability=1.0)
    actors = sorted(draw_scene(np.random.default_rng(3), config).actors, key=lambda a: a.label)
    for actor in actors[1:]:
        earlier = [other.body for other in actors[: actor.label - 1]]
        assert any(
            alike(actor.body.skin, it.skin) or np.allclose(actor.body.outlines, it.outlines)
            for it in earlier
        )


def test_objects_leave_and_return() -> None:
    config = replace(
        STILL, frames=24, objects=(1, 1), object_size=(0.1, 0.2), leave_probability=1.0
    )
    for seed in range(10):
        shown = generate_clip(seed, config).visible_frames(1)
        assert shown[0] == 0
        assert shown[-1] == 23
        assert len(shown) < 24


def test_an_occluder_hides_objects_for_a_while() -> None:
    config = replace(STILL, frames=24, objects=(1, 1), object_size=(0.7, 0.7))
    crossed = replace(config, occluder_probability=1.0)
    areas = [generate_clip(6, item).visible_area_tn[:, 0] for item in (config, crossed)]
    assert (areas[1] <= areas[0]).all()
    assert areas[1].min() < 0.9 * areas[0].min()


@pytest.mark.parametrize("frames", [3, 5, 24, 60])
@pytest.mark.parametrize("object_size", [(0.06, 0.7), (0.9, 0.9)])
def test_a_hidden_object_is_gone_in_the_middle_and_back_at_the_end(
    frames: int, object_size: tuple[float, float]
) -> None:
    config = replace(SMALL, frames=frames, object_size=object_size, hide_object=True)
    for seed in range(6):
        shown = generate_clip(seed, config).visible_frames(1)
        middle = set(range(max(1, int(0.4 * (frames - 1))), int(0.6 * (frames - 1)) + 1))
        assert middle
        assert not middle & set(shown)
        assert shown[0] == 0
        assert shown[-1] == frames - 1


@pytest.mark.parametrize("shape", [(32, 32), (33, 200), (500, 40)])
def test_any_size_of_frame(shape: tuple[int, int]) -> None:
    clip = generate_clip(0, ClipConfig(height=shape[0], width=shape[1], frames=1))
    assert clip.frames_rgb_thwc.shape == (1, *shape, 3)


# Bad input


@pytest.mark.parametrize(
    "change",
    [
        {"height": 8},
        {"width": 5000},
        {"frames": 0},
        {"frames": 2, "hide_object": True},
        {"seed_space": -1},
        {"objects": (0, 3)},
        {"objects": (5, 2)},
        {"objects": (2, 17)},
        {"object_size": (0.5, 0.1)},
        {"object_size": (float("nan"), 0.5)},
        {"twin_probability": 1.5},
        {"stuff_probability": -0.1},
        {"compression": Effect(1.5, 80.0)},
        {"noise": Effect(0.5, -1.0)},
        {"zoom": Effect(float("nan"), 0.1)},
    ],
)
def test_a_bad_configuration_is_refused_by_name(change: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(change))):
        replace(SMALL, **change)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ArgumentError, match="-1"):
        generate_clip(-1, SMALL)


# Clicks


def hand_made(labels_thw: np.ndarray) -> Clip:
    frames = np.zeros((*labels_thw.shape, 3), np.uint8)
    parts = (labels_thw > 0).astype(np.uint8)
    return Clip(frames, labels_thw, parts, [2], (labels_thw == 2).sum((1, 2))[:, None])


def test_a_click_is_the_deepest_pixel_of_the_first_frame_that_shows_the_object() -> None:
    labels = np.zeros((3, 20, 30), np.uint8)
    labels[1, 5:14, 10:19] = 2
    labels[2, 0:3, 0:3] = 2
    clip = hand_made(labels)
    assert clip.visible_frames(2) == [1, 2]
    assert first_click(clip, 2) == (14, 9)


def test_a_click_keeps_clear_of_the_edge_of_the_frame() -> None:
    labels = np.zeros((1, 20, 30), np.uint8)
    labels[0, :9, :9] = 2
    assert first_click(hand_made(labels), 2) == (4, 4)


def test_an_object_that_is_not_there_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="known: 2"):
        first_click(hand_made(np.full((1, 4, 4), 2, np.uint8)), 7)
