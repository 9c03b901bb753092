"""One object through the graphs of one frame: decode, choose, remember."""

import math
from typing import Any, Dict, NamedTuple, Optional

import cv2
import numpy as np

from sam2lite.runtimes.geometry import Scratch, network_input
from sam2lite.runtimes.prompts import Prompt, PromptSlots, empty_slots, mask_logits
from sam2lite.runtimes.rules.sam2lite.memory_bank import MemoryBank
from sam2lite.runtimes.rules.sam2lite.motion import MotionSignal
from sam2lite.runtimes.rungs import RungGraphs, RungLoader
from sam2lite.runtimes.stage_clock import StageClock


class CurrentFrame:
    """The frame that is being worked on, or was last returned.

    Attributes:
        index: of the frame.
        image: `image_bchw`, uint8 [1, 3, R, R].
        width: of the source frame, px.
        height: of the source frame, px.
        graphs: sessions of the rung it is encoded at.
        clock: its time by stage.
        decisions: per object what was decided on this frame.
        tracked: whether `track` has returned it.
    """

    def __init__(
        self,
        index: int,
        frame_bgr: np.ndarray,
        graphs: RungGraphs,
        motion: MotionSignal,
        scratch: Scratch,
    ) -> None:
        self.index = index
        self.height, self.width = frame_bgr.shape[:2]
        self.graphs = graphs
        self.clock = StageClock()
        self.decisions: Dict[int, Decision] = {}
        self.tracked = False
        self._features: Optional[Dict[str, Any]] = None
        with self.clock.whole(), self.clock.stage("preprocess"):
            self.image = network_input(frame_bgr, graphs.rung, scratch)
            motion.update(self.image)

    def shows(self, frame_bgr: np.ndarray) -> bool:
        """Return whether a frame looks the same to the network."""
        return np.array_equal(network_input(frame_bgr, self.graphs.rung), self.image)

    def features(self) -> Dict[str, Any]:
        """Return the encoder's outputs by name, as handles; the image is encoded once."""
        if self._features is None:
            with self.clock.stage("image_encoder"):
                session = self.graphs.sessions["image_encoder"]
                dtype = session.spec.inputs[0].dtype
                self._features = session.run(
                    {session.spec.inputs[0].name: self.image.astype(dtype, copy=False)}
                )
            self.graphs.frames += 1
        return self._features


class Decision(NamedTuple):
    """What was decided about one object on one frame; fields as in `ObjectResult`."""

    logits: np.ndarray
    iou: float
    object_score: float
    visible: bool
    lost: bool
    prompted: bool
    stored: bool


class ObjectTrack:
    """The memory of one object and the steps that use it; rules in docs/architecture.md.

    Attributes:
        object_id: of the object.
        bank: its tokens.
        hint: float32 [h, w], its logits on the last frame it was decided on, None where it was not
            visible there.
    """

    def __init__(self, object_id: int, bank: MemoryBank, hint: Optional[np.ndarray] = None) -> None:
        self.object_id = object_id
        self.bank = bank
        self.hint = hint
        self._no_prompt = empty_slots()

    def process(
        self,
        frame: CurrentFrame,
        loader: RungLoader,
        motion: MotionSignal,
        window: Optional[int],
        prompt: Optional[Prompt] = None,
    ) -> Decision:
        """Decode the object on a frame and store it if it is present.

        Where the object was decided on this frame before, this is a correction: that decision's
        tokens are forgotten, and its logits are the mask prompt unless the prompt has a mask.
        Where there is no prompt, the mask prompt is the object's last mask.
        """
        before = frame.decisions.get(self.object_id)
        slots = self._no_prompt if prompt is None else prompt.slots(frame.width, frame.height)
        if before is not None and before.stored:
            self.bank.forget_last()
        mask_b1hw: Optional[np.ndarray] = None
        if prompt is not None and prompt.mask_hw is not None:
            mask_b1hw = mask_logits(prompt.mask_hw, frame.graphs.rung)
        elif before is not None and not before.lost:
            mask_b1hw = before.logits[np.newaxis, np.newaxis]
        elif before is None and prompt is None and self.hint is not None:
            mask_b1hw = _resized(self.hint, frame.graphs.rung // 4)
        outputs = self._decode(frame, window, slots, mask_b1hw)

        iou_m = loader.numpy(outputs["iou_bm"])[0]
        chosen = int(np.argmax(iou_m))
        score = float(loader.numpy(outputs["object_score_b1"])[0, 0])
        pointer_bc = loader.numpy(outputs["object_pointer_bmc"])[:, chosen]
        # A copy, so that a result that is kept does not keep all candidates.
        logits = loader.numpy(outputs["mask_logits_bmhw"])[0, chosen].copy()
        if prompt is not None and prompt.mask_hw is not None and mask_b1hw is not None:
            logits = mask_b1hw[0, 0]  # the user knows better than the network
        prompted = prompt is not None
        finite = _finite(iou_m) and math.isfinite(score) and _finite(pointer_bc) and _finite(logits)
        present = finite and (prompted or score > 0.0)
        stored = present and self._store(frame, loader, motion, logits, pointer_bc, prompted)
        decision = Decision(
            logits=logits,
            iou=float(iou_m[chosen]),
            object_score=score,
            visible=present and stored,
            lost=not finite or (present and not stored),
            prompted=prompted,
            stored=stored,
        )
        frame.decisions[self.object_id] = decision
        self.hint = logits if decision.visible else None
        return decision

    def _decode(
        self,
        frame: CurrentFrame,
        window: Optional[int],
        slots: PromptSlots,
        mask_b1hw: Optional[np.ndarray],
    ) -> Dict[str, Any]:
        features = frame.features()
        age_bn, bias_b11n = self.bank.view(window)
        flag = 0.0 if mask_b1hw is None else 1.0
        if mask_b1hw is None:
            side = frame.graphs.rung // 4
            mask_b1hw = np.zeros((1, 1, side, side), np.float32)
        inputs = dict(
            features,
            memory_key_bnc=self.bank.key,
            memory_value_bnc=self.bank.value,
            memory_age_bn=age_bn,
            memory_bias_b11n=bias_b11n,
            mask_prompt_b1hw=mask_b1hw,
            mask_prompt_flag_b111=np.full((1, 1, 1, 1), flag, np.float32),
            **slots._asdict(),
        )
        with frame.clock.stage("mask_decoder"):
            return frame.graphs.sessions["mask_decoder"].run(inputs)

    def _store(
        self,
        frame: CurrentFrame,
        loader: RungLoader,
        motion: MotionSignal,
        logits: np.ndarray,
        pointer_bc: np.ndarray,
        anchor: bool,
    ) -> bool:
        """Write the frame to memory; return False if the encoder gave a number not finite."""
        with frame.clock.stage("memory_encoder"):
            tokens = frame.graphs.sessions["memory_encoder"].run(
                {
                    "features_s16_bchw": frame.features()["features_s16_bchw"],
                    "mask_logits_b1hw": logits[np.newaxis, np.newaxis],
                    "object_pointer_bc": pointer_bc,
                }
            )
        if not all(_finite(loader.numpy(handle)) for handle in tokens.values()):
            return False
        meta = self.bank.candidates(
            loader.numpy(tokens["token_uncertainty_bn"]), motion.inside(logits), anchor
        )
        with frame.clock.stage("memory_select"):
            kept = loader.shared["memory_select"].run(
                {
                    "memory_key_bnc": self.bank.key,
                    "memory_value_bnc": self.bank.value,
                    "token_key_bnc": tokens["token_key_bnc"],
                    "token_value_bnc": tokens["token_value_bnc"],
                    "candidate_meta_bnc": meta,
                }
            )
        self.bank.commit(
            kept["kept_key_bnc"], kept["kept_value_bnc"], loader.numpy(kept["kept_index_bn"])
        )
        return True


def _resized(logits_hw: np.ndarray, side: int) -> np.ndarray:
    """Bring logits of another rung to [1, 1, side, side]."""
    if logits_hw.shape != (side, side):
        logits_hw = cv2.resize(logits_hw, (side, side), interpolation=cv2.INTER_LINEAR)
    return logits_hw[np.newaxis, np.newaxis]


def _finite(array: np.ndarray) -> bool:
    # One number that is not finite makes the sum so; a sum is quicker than a look at each.
    return math.isfinite(float(array.sum()))
