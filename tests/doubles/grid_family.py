"""A family unlike SAM2-Lite: its memory is a grid of the input size, and four plain functions.

What it has in common with SAM 2: a graph that reads memory before the decoder, several masks with
the pointer chosen on its own, absent frames that are written, memory that holds for one input size.
"""

from typing import Any, Callable, Dict, Mapping, Optional, Tuple

import numpy as np

from sam2lite.contracts.family import Family
from sam2lite.contracts.manifest import GraphEntry, Manifest, ModelInfo, Postprocess
from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.contracts.values import IMAGE, TensorInfo
from sam2lite.errors import ArgumentError
from sam2lite.files.array_reading import Column
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.rules.current_frame import CurrentFrame, Decision, Host
from sam2lite.runtimes.rules.interface import Chosen, FrameRules, Memory, finite
from sam2lite.runtimes.session import Session

SIZES = (16, 32)
STRIDE = 8
SLOTS = 3
ABSENT = -5.0  # what a frame without the object leaves in its slot

Arrays = Mapping[str, np.ndarray]


def _spec(name: str, *shape: Any, dtype: str = "float32") -> TensorSpec:
    return TensorSpec(name, dtype, shape)


_IMAGE = _spec("picture", 1, 3, "R", "R", dtype="uint8")
_LIGHT = _spec("light", 1, 1, "H8", "H8")
_SEEN = _spec("seen", 1, 1, "H8", "H8")
_MASK = _spec("mask", 1, 1, "H8", "H8")

GRID = Family(
    name="grid",
    title="Grid",
    graphs=(
        GraphSpec("eye", (_IMAGE,), (_LIGHT,), tensors={"picture": TensorInfo("It.", IMAGE)}),
        GraphSpec("recall", (_LIGHT, _spec("slots", 1, SLOTS, "H8", "H8")), (_SEEN,)),
        GraphSpec(
            "finder",
            (_SEEN,),
            (
                _spec("masks", 1, 3, "H8", "H8"),
                _spec("quality", 1, 3),
                _spec("presence", 1, 1),
                _spec("pointers", 1, 3),
            ),
        ),
        GraphSpec("writer", (_LIGHT, _MASK), (_spec("slot", 1, 1, "H8", "H8"),)),
    ),
    object_score="presence",
    strides={"R": 1, "H8": STRIDE},
    mask_stride=STRIDE,
    keeps_memory_across_sizes=False,
    rules="tests.doubles.grid_family:GridRules",
    host="",
)


def _eye(inputs: Arrays) -> Dict[str, np.ndarray]:
    picture = inputs["picture"][0].astype(np.float32)
    side = picture.shape[1] // STRIDE
    cells = picture.reshape(3, side, STRIDE, side, STRIDE).mean((0, 2, 4))
    return {"light": cells[np.newaxis, np.newaxis] / 255}


def _recall(inputs: Arrays) -> Dict[str, np.ndarray]:
    return {"seen": inputs["light"] + 0.01 * inputs["slots"].sum(1, keepdims=True)}


def _finder(inputs: Arrays) -> Dict[str, np.ndarray]:
    seen = inputs["seen"]
    return {
        "masks": np.concatenate([seen - 9, seen, seen + 9], 1),
        "quality": np.array([[0.1, 0.9, 0.5]], np.float32),
        "presence": seen.mean((2, 3)),
        "pointers": np.array([[10, 20, 30]], np.float32),
    }


def _writer(inputs: Arrays) -> Dict[str, np.ndarray]:
    return {"slot": inputs["mask"]}


GRAPHS: Dict[str, Callable[[Arrays], Dict[str, np.ndarray]]] = {
    "eye": _eye,
    "recall": _recall,
    "finder": _finder,
    "writer": _writer,
}


class GridMemory(Memory):
    """A ring of frames; `None` until the first one says how large they are."""

    def __init__(self, slots: int) -> None:
        self.slots: Optional[np.ndarray] = None
        self.written = 0
        self.ticks = 0
        self.pointer = 0.0
        self._count = slots

    def tick(self) -> None:
        self.ticks += 1

    def forget_last(self) -> None:
        assert self.slots is not None
        self.written -= 1
        self.slots[0, self.written % self._count] = 0

    def write(self, plane_hw: np.ndarray) -> None:
        if self.slots is None:
            self.slots = np.zeros((1, SLOTS, *plane_hw.shape), np.float32)
        self.slots[0, self.written % self._count] = plane_hw
        self.written += 1

    def state(self, host: Host) -> Dict[str, np.ndarray]:
        arrays = {"written": np.array(self.written), "ticks": np.array(self.ticks)}
        return arrays if self.slots is None else dict(arrays, slots=self.slots)

    def restore(self, arrays: Arrays) -> None:
        self.written, self.ticks = int(arrays["written"]), int(arrays["ticks"])
        self.slots = arrays.get("slots")


class GridRules(FrameRules):
    settings = ("slots",)
    remembers_absent = True

    def __init__(self, manifest: Manifest, slots: int = SLOTS) -> None:
        if not 1 <= slots <= SLOTS:
            raise ArgumentError("{} slots; choose 1 to {}".format(slots, SLOTS))
        self._slots = slots
        self._sides = tuple(size // STRIDE for size in manifest.rungs)
        self._threshold = manifest.postprocess.object_score_threshold
        self.frames_seen = 0

    def reset(self) -> None:
        self.frames_seen = 0

    def state(self) -> Dict[str, np.ndarray]:
        return {"frames_seen": np.array(self.frames_seen)}

    def restore(self, arrays: Arrays) -> None:
        self.frames_seen = int(arrays["frames_seen"])

    def stream_columns(self) -> Dict[str, Column]:
        return {"frames_seen": Column("int64", (), 0)}

    def memory_columns(self) -> Dict[str, Column]:
        slots = Column("float32", (1, SLOTS, self._sides, self._sides), needed=False)
        return {"written": Column("int64", (), 0), "ticks": Column("int64", (), 0), "slots": slots}

    def see(self, frame: CurrentFrame) -> None:
        self.frames_seen += 1

    def new_memory(self) -> GridMemory:
        return GridMemory(self._slots)

    def prompt_inputs(self, prompt: Optional[Prompt], width: int, height: int) -> None:
        if prompt is not None:
            prompt.slots(width, height)

    def hint(
        self,
        frame: CurrentFrame,
        prompt: Optional[Prompt],
        before: Optional[Decision],
        last: Optional[np.ndarray],
    ) -> None:
        return None

    def decode(
        self,
        frame: CurrentFrame,
        memory: GridMemory,
        window: Optional[int],
        inputs: None,
        hint: None,
    ) -> Arrays:
        light = frame.features()["light"]
        if memory.slots is None:  # the first frame has nothing to recall
            return frame.run("finder", {"seen": light})
        seen = frame.run("recall", {"light": light, "slots": memory.slots})
        return frame.run("finder", seen)

    def choose(
        self, frame: CurrentFrame, candidates: Arrays, prompt: Optional[Prompt], hint: None
    ) -> Chosen:
        best = int(np.argmax(candidates["quality"]))
        score = float(candidates["presence"][0, 0])
        return Chosen(
            logits=candidates["masks"][0, best].copy(),
            iou=float(candidates["quality"][0, best]),
            object_score=score,
            present=prompt is not None or score > self._threshold,
            lost=not finite(candidates["masks"]),
            pointer=float(candidates["pointers"][0, 0 if prompt is None else best]),
        )

    def remember(
        self, frame: CurrentFrame, memory: GridMemory, chosen: Chosen, prompted: bool
    ) -> bool:
        mask = chosen.logits if chosen.present else np.full_like(chosen.logits, ABSENT)
        slot = frame.run(
            "writer",
            {"light": frame.features()["light"], "mask": mask[np.newaxis, np.newaxis]},
        )["slot"]
        if not finite(slot):
            return False
        memory.write(slot[0, 0])
        memory.pointer = chosen.pointer
        return True


class GridSession(Session):
    """Runs one of the functions; `alter` may change what it gives."""

    def __init__(self, spec: GraphSpec) -> None:
        super().__init__(spec)
        self.alter: Callable[[Dict[str, np.ndarray]], None] = lambda outputs: None

    def _describe(self, value: Any) -> Tuple[str, Tuple[int, ...]]:
        return value.dtype.name, value.shape

    def _run(self, inputs: Arrays) -> Dict[str, np.ndarray]:
        outputs = GRAPHS[self.spec.name](inputs)
        self.alter(outputs)
        return outputs

    def _close(self) -> None:
        pass


class GridBundle(Bundle):
    """A bundle that is nowhere on a disk; the object is there where a score is above 0.25."""

    def __init__(self) -> None:
        dims = {str(size): GRID.sides(size) for size in SIZES}
        manifest = Manifest(
            sam2lite_version="0",
            model=ModelInfo(GRID.name, "grid", "0" * 64, "none", True, 0, {}),
            backend="ort",
            target={"threads": 1},
            opset=17,
            rungs=SIZES,
            graphs={
                key: GraphEntry(key, "fp32", graph.bind(dims[str(size)]))
                for key, (graph, size) in GRID.keyed(SIZES).items()
            },
            dims=dims,
            stages=tuple(graph.name for graph in GRID.graphs),
            preprocess={},
            postprocess=Postprocess(STRIDE, 0.5, 0.25, "INTER_LINEAR"),
            memory={},
            calibration=None,
            verification={},
            tools={},
            files={},
            status="",
        )
        super().__init__("grid", manifest, "1" * 64, "ort")
        self.sessions: Dict[str, GridSession] = {}

    def open_session(
        self, key: str, threads: Optional[int] = None, provider: Optional[str] = None
    ) -> GridSession:
        self.sessions[key] = GridSession(self.manifest.graphs[key].spec)
        return self.sessions[key]
