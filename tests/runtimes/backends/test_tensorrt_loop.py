"""The frame loop over TensorRT sessions whose engines run the ONNX graphs of a bundle."""

import gc
from pathlib import Path

import numpy as np
import pytest

from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.data.clips import Clip, ClipConfig, first_click, generate_clip
from sam2lite.runtimes import presence
from sam2lite.runtimes.backends.tensorrt.runtime import TrtRuntime
from sam2lite.runtimes.backends.tensorrt.session import TrtSession
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.presence import always_present
from sam2lite.runtimes.results import FrameResult
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.runtimes.session import Session
from tests.conftest import RUNGS
from tests.doubles.cuda import FakeCuda
from tests.doubles.tensorrt_runtime import BINDINGS, NAMED, FakeTensorrt

FRAMES = 50


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return open_bundle(str(tiny_bundle))


@pytest.fixture(scope="module")
def clip() -> Clip:
    return generate_clip(14, ClipConfig(height=96, width=160, frames=FRAMES))


class TrtBundle(Bundle):
    """The same graphs as engines; every session is kept."""

    def __init__(self, bundle: Bundle, folder: Path, version: str = NAMED) -> None:
        super().__init__(bundle.path, bundle.manifest, bundle.sha256, "trt")
        self.cuda = FakeCuda()
        self.tensorrt = FakeTensorrt(self.cuda, version)
        self.runtime = TrtRuntime(self.tensorrt, self.cuda)
        self.folder = folder

    def open_session(
        self, key: str, threads: int | None = None, provider: str | None = None
    ) -> Session:
        entry = self.manifest.graphs[key]
        engine = self.folder / f"{key}.engine"
        engine.write_bytes(self.tensorrt._engine_bytes(f"{self.path}/{entry.file}"))
        return TrtSession(entry.spec, str(engine), self.runtime)


def bgr(clip: Clip, index: int) -> np.ndarray:
    return np.ascontiguousarray(clip.frames_rgb_thwc[index, :, :, ::-1])


def start(segmenter: VideoSegmenter, clip: Clip, objects: int) -> None:
    for number in range(objects):
        click = first_click(clip, clip.object_ids[number % len(clip.object_ids)])
        segmenter.prompt(bgr(clip, 0), number, points=[click])


def played(bundle: Bundle, clip: Clip, state: Path) -> list[FrameResult]:
    """Everything a user may do: two objects, corrections, another rung, a state file."""
    results = []
    with VideoSegmenter(bundle, rung=RUNGS[0], threads=1) as segmenter:
        start(segmenter, clip, objects=2)
        for index in range(12):
            results.append(segmenter.track(bgr(clip, index)))
            if index == 3:
                segmenter.correct(0, points=[(80, 48)])
            if index == 6:
                segmenter.set_rung(RUNGS[1])
            if index == 9:
                segmenter.save_state(str(state))
                segmenter.load_state(str(state))
    return results


@pytest.fixture(scope="module")
def expected(
    bundle: Bundle, clip: Clip, tmp_path_factory: pytest.TempPathFactory
) -> list[FrameResult]:
    return played(bundle, clip, tmp_path_factory.mktemp("state") / "state.npz")


@pytest.mark.parametrize("version", [BINDINGS, NAMED])
def test_masks_are_those_of_onnx_runtime(
    version: str, bundle: Bundle, clip: Clip, expected: list[FrameResult], tmp_path: Path
) -> None:
    engines = TrtBundle(bundle, tmp_path, version)
    for one, other in zip(played(engines, clip, tmp_path / "state.npz"), expected, strict=True):
        assert one.rung == other.rung
        for object_id, result in other.objects.items():
            assert one.objects[object_id].visible == result.visible
            np.testing.assert_array_equal(one.objects[object_id].logits, result.logits)
            np.testing.assert_array_equal(one.objects[object_id].mask, result.mask)
    assert any(result.objects[0].mask.any() for result in expected[1:])
    assert engines.cuda.launches > 0
    assert not engines.cuda.violations


def test_fifty_frames_leave_memory_as_it_was_and_nothing_behind(
    bundle: Bundle, clip: Clip, tmp_path: Path
) -> None:
    engines = TrtBundle(bundle, tmp_path)
    cuda = engines.cuda
    segmenter = VideoSegmenter(engines, rung=RUNGS[0])
    start(segmenter, clip, objects=3)
    used = []
    for index in range(FRAMES):
        segmenter.track(bgr(clip, index))
        used.append((cuda.used_bytes, cuda.allocations, len(cuda.pinned)))
    assert set(used[5:]) == {used[5]}
    segmenter.close()
    assert cuda.graphs == {}
    assert cuda.pinned == {}
    assert cuda.used_bytes > 0  # the segmenter still holds the objects' memory and the features
    del segmenter
    gc.collect()
    assert cuda.memory == {}
    engines.runtime.close()
    assert cuda.nothing_left()


def nbytes(spec: GraphSpec, names: list[str]) -> list[int]:
    size = {
        tensor.name: int(np.prod([int(dim) for dim in tensor.shape]))
        * np.dtype(tensor.dtype).itemsize
        for tensor in (*spec.inputs, *spec.outputs)
    }
    return [size[name] for name in names]


def test_features_and_memory_never_pass_through_the_host(
    bundle: Bundle, clip: Clip, tmp_path: Path
) -> None:
    """On a tracked frame, what goes up is the image and what the loop made; down comes what it
    decides by."""
    specs = {
        graph.name: bundle.manifest.graphs[graph.key(RUNGS[0])].spec for graph in FAMILY.graphs
    }
    on_device = {"memory_key_bnc", "memory_value_bnc", "token_key_bnc", "token_value_bnc"}
    on_device |= set(specs["image_encoder"].output_names)
    up = [
        size
        for spec in specs.values()
        for size in nbytes(spec, [name for name in spec.input_names if name not in on_device])
    ]
    down = [
        *nbytes(specs["mask_decoder"], specs["mask_decoder"].output_names),
        *nbytes(specs["memory_encoder"], specs["memory_encoder"].output_names),
        *nbytes(specs["memory_select"], ["kept_index_bn"]),
    ]
    engines = TrtBundle(bundle, tmp_path)
    with VideoSegmenter(engines, rung=RUNGS[0]) as segmenter:
        start(segmenter, clip, objects=1)
        segmenter.track(bgr(clip, 0))
        for index in range(1, 8):
            engines.cuda.copies.clear()
            result = segmenter.track(bgr(clip, index))
            assert result.objects[0].visible
            copies = engines.cuda.copies
            assert sorted(copy.size for copy in copies if copy.to_device) == sorted(up)
            assert sorted(copy.size for copy in copies if not copy.to_device) == sorted(down)


def test_one_object_needs_few_graphs_and_then_only_replays(
    bundle: Bundle, clip: Clip, tmp_path: Path
) -> None:
    engines = TrtBundle(bundle, tmp_path)
    with VideoSegmenter(engines, rung=RUNGS[0]) as segmenter:
        start(segmenter, clip, objects=1)
        for index in range(10):
            segmenter.track(bgr(clip, index))
        graphs, launches = len(engines.cuda.graphs), engines.cuda.launches
        for index in range(10, 20):
            segmenter.track(bgr(clip, index))
        assert len(engines.cuda.graphs) == graphs <= 6
        assert engines.cuda.launches == launches + 10 * 4


def test_a_frame_that_costs_the_same_whatever_the_network_says(
    bundle: Bundle, clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`bench` sets the score that the loop reads, which must not need host memory of the device."""
    engines = TrtBundle(bundle, tmp_path)

    def opened(self: Bundle, key: str, *options: object) -> Session:
        return engines.open_session(key)

    monkeypatch.setattr(Bundle, "open_session", opened)
    steady = always_present(bundle)
    with VideoSegmenter(steady, rung=RUNGS[0]) as segmenter:
        start(segmenter, clip, objects=1)
        segmenter.track(bgr(clip, 0))
        score = segmenter.track(bgr(clip, 1)).objects[0].object_score
    assert score == presence._PRESENT
