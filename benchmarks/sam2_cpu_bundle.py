"""Our SAM 2 bundles on a CPU, for sam2_cpu.py: the frame loop with a full memory, and its graphs.

The same bundle runs in ONNX Runtime, as it is meant to, or its graphs in OpenVINO under the same
loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sam2_cpu_loop import FullLoop

from sam2lite.contracts.families.sam2 import (
    MASK_DECODER,
    POINTER_FRAMES,
    POINTER_TOKENS,
    RECENT_FRAMES,
    attention_name,
)
from sam2lite.contracts.loop import MASKED_BIAS
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.runtimes.backends.openvino.loading import import_openvino
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.rules.sam2.slot_bank import SlotBank
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.runtimes.session import Session


class KeptSessions(Bundle):
    """A bundle that remembers the sessions it has opened.

    Attributes:
        sessions: by the graph's name.
    """

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle.path, bundle.manifest, bundle.sha256, bundle.backend)
        self.sessions: dict[str, Session] = {}
        self._threads: int | None = None

    def open_session(
        self, key: str, threads: int | None = None, provider: str | None = None
    ) -> Session:
        """See `Bundle.open_session`."""
        self._threads = threads
        session = self._opened(key, threads, provider)
        self.sessions[session.spec.name] = session
        return session

    def session(self, name: str) -> Session:
        """Return the session of a graph at the largest size, which is opened if it is not yet."""
        if name not in self.sessions:
            self.open_session(self.family.graph(name).key(self.manifest.rungs[-1]), self._threads)
        return self.sessions[name]

    def _opened(self, key: str, threads: int | None, provider: str | None) -> Session:
        return super().open_session(key, threads, provider)


class InOpenVino(KeptSessions):
    """A bundle whose graphs run in OpenVINO, tuned for latency, in FP32."""

    def _opened(self, key: str, threads: int | None, provider: str | None) -> Session:
        return OpenVinoSession(self.manifest.graphs[key].spec, self.graph_path(key), threads or 1)


class OpenVinoSession(Session):
    """One graph in OpenVINO. What it gives is copied: the next run would overwrite it."""

    def __init__(self, spec: GraphSpec, path: str, threads: int) -> None:
        ov = import_openvino()
        super().__init__(spec)
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self._request: Any = ov.Core().compile_model(path, "CPU", settings).create_infer_request()

    def _describe(self, value: Any) -> tuple[str, tuple[int, ...]]:
        return value.dtype.name, value.shape

    def _run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        self._request.infer(dict(inputs), share_inputs=True)
        return {
            each.name: self._request.get_tensor(each.name).data.copy() for each in self.spec.outputs
        }

    def _close(self) -> None:
        self._request = None


def opened(bundle: KeptSessions, threads: int) -> VideoSegmenter:
    """Return a segmenter whose graphs run in so many threads, which they share where they can."""
    if not isinstance(bundle, InOpenVino):
        bundle.share_threads(threads)
    return VideoSegmenter(bundle, threads=threads)


class OurLoop(FullLoop):
    """A segmenter and one object in it."""

    def __init__(
        self,
        folder: Path,
        threads: int,
        kind: type[KeptSessions],
    ) -> None:
        """Open; no object is followed yet.

        Args:
            folder: of the bundle.
            threads: of the pool.
            kind: what opens the graphs.
        """
        self._bundle = kind(open_bundle(str(folder)))
        self._segmenter = opened(self._bundle, threads)

    def _point(self, frame_bgr: np.ndarray, click: tuple[int, int]) -> None:
        self._segmenter.prompt(frame_bgr, points=[click], frame_index=0)

    def _tracked(self, frame_bgr: np.ndarray, index: int) -> np.ndarray:
        return self._segmenter.track(frame_bgr, frame_index=index).masks[1]

    def _filled(self, following: int) -> tuple[int, int]:
        memory = self._segmenter._objects[1].memory
        assert isinstance(memory, SlotBank)
        record = memory.on(1)
        if record is None:
            raise RuntimeError("nothing was remembered of the second frame")
        for index in range(2, following):
            memory.tick()
            memory.write(record._replace(frame=index))
        copy = SlotBank()
        copy.restore(memory.state(np.asarray))
        seen = copy.seen(following, RECENT_FRAMES, POINTER_FRAMES)
        return len(seen.frames), len(seen.pointers)

    def parts(self, frame_bgr: np.ndarray, slots: tuple[int, ...]) -> dict[str, Callable[[], Any]]:
        """See `FullLoop`."""
        from sam2lite.runtimes.geometry import network_input

        bundle, rng = self._bundle, np.random.default_rng(0)
        size = bundle.manifest.rungs[-1]
        image = {"image_bchw": network_input(frame_bgr, size)}
        features = bundle.session("image_encoder").run(image)

        def runner(name: str) -> Callable[[], Any]:
            feeds: dict[str, Any] = {}
            for tensor in bundle.manifest.graphs[bundle.family.graph(name).key(size)].spec.inputs:
                shape = [int(side) for side in tensor.shape]
                if tensor.name in features:
                    feeds[tensor.name] = features[tensor.name]
                elif tensor.dtype == "float32":
                    feeds[tensor.name] = rng.standard_normal(shape, np.float32)
                else:
                    feeds[tensor.name] = np.zeros(shape, tensor.dtype)
            if name == MASK_DECODER:  # as on a frame without a prompt
                feeds["prompt_label_bp"][:] = 4
                feeds["prompt_bias_b11p"][:] = MASKED_BIAS
                feeds["prompt_bias_b11p"][..., :2] = 0.0
                feeds["has_mask_input"][:] = 0.0
            if "memory_bias_b11k" in feeds:
                unused = feeds["object_pointers_bqc"].shape[1] - POINTER_FRAMES
                feeds["memory_bias_b11k"][:] = 0.0
                feeds["memory_bias_b11k"][..., -unused * POINTER_TOKENS :] = MASKED_BIAS
            if name == "image_encoder":
                feeds = dict(image)
            # A session that no frame needs is opened for its part, after peak memory was read.
            return lambda: bundle.session(name).run(feeds)

        names = ["image_encoder", *map(attention_name, slots), "mask_decoder", "memory_encoder"]
        return {name: runner(name) for name in names}
