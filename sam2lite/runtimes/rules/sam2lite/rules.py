"""SAM2-Lite's frame rules: a bank of memory tokens for every object, pruned in a graph."""

import math
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from sam2lite.contracts.arguments import truth
from sam2lite.contracts.families.sam2lite import PRUNING_POLICY, TOKENS_PER_FRAME
from sam2lite.contracts.fields import flag, record, whole
from sam2lite.contracts.loop import WINDOW_MAX, WINDOW_MIN
from sam2lite.contracts.manifest import Manifest
from sam2lite.errors import BundleError
from sam2lite.files.array_reading import Column
from sam2lite.runtimes.prompts import Prompt, PromptSlots, empty_slots
from sam2lite.runtimes.rules.box_motion import BoxTrack, after, box_of, by_motion
from sam2lite.runtimes.rules.current_frame import CurrentFrame, Decision
from sam2lite.runtimes.rules.interface import Chosen, FrameRules, finite, sound_masks
from sam2lite.runtimes.rules.sam2lite.mask_prompt import mask_logits, resized
from sam2lite.runtimes.rules.sam2lite.memory_bank import MemoryBank, state_columns
from sam2lite.runtimes.rules.sam2lite.motion import GRID, MotionSignal
from sam2lite.runtimes.rules.sam2lite.pruning import Pruning

_MOST_TOKENS = 1 << 16
_MEMORY = record(
    {"budget": whole(TOKENS_PER_FRAME, _MOST_TOKENS), "window_saves_time": flag}, others=True
)


class Decoded(NamedTuple):
    """What `decode` gives.

    Attributes:
        outputs: of `mask_decoder`, by name.
        expected: where the object's box is; None where nobody asks.
    """

    outputs: Dict[str, Any]
    expected: Optional[BoxTrack]


class TokenBankRules(FrameRules):
    """See docs/architecture.md, "The frame loop", for the rules in words."""

    settings = ("policy", "tokens", "window", "motion_aware")

    def __init__(
        self,
        manifest: Manifest,
        policy: str = PRUNING_POLICY,
        tokens: Optional[int] = None,
        window: Optional[int] = WINDOW_MAX,
        motion_aware: bool = False,
    ) -> None:
        """Check and take the settings.

        Args:
            manifest: of the bundle.
            policy: which tokens leave a full memory bank: `learned`, `fifo`, `anchor-fifo`,
                `random` or `uncertainty`.
            tokens: of an object's memory bank, at most the bundle's; all if not given.
            window: stored frames that are kept beside the prompted ones, 2 to 8; None for no
                limit but the tokens.
            motion_aware: whether the expected box has a say in choosing masks.

        Raises:
            UnknownNameError: there is no such policy.
            ArgumentError: the tokens or the window are out of range, or `motion_aware` is no truth
                value.
            BundleError: the manifest does not say how large the bank is.
        """
        try:
            _MEMORY(manifest.memory, "memory")
        except ValueError as error:
            raise BundleError(
                "the manifest lacks or misstates a field ({}); export the bundle again".format(
                    error
                )
            )
        self._slots: int = manifest.memory["budget"]
        if manifest.memory["window_saves_time"]:  # graphs of fixed size do not
            self.windows = tuple(range(WINDOW_MIN, WINDOW_MAX + 1))
        if any(dims.get("B", self._slots) != self._slots for dims in manifest.dims.values()):
            raise BundleError(
                "the manifest's memory.budget is {} tokens, and its graphs take another number; "
                "export the bundle again".format(self._slots)
            )
        self._pruning = Pruning(self._slots, policy, tokens, window)
        self._motion_aware = truth("motion_aware", motion_aware)
        self._mask_stride = manifest.postprocess.mask_stride
        self._score_threshold = manifest.postprocess.object_score_threshold
        self._no_prompt = empty_slots()
        self.reset()

    def reset(self) -> None:
        """See `FrameRules`."""
        self._motion = MotionSignal()

    def state(self) -> Dict[str, np.ndarray]:
        """See `FrameRules`: the last grid of the motion signal, if there was a frame."""
        return {} if self._motion.grey is None else {"grey": self._motion.grey}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """See `FrameRules`."""
        self._motion.grey = arrays.get("grey")

    def stream_columns(self) -> Dict[str, Column]:
        """See `FrameRules`."""
        return {"grey": Column("float32", (GRID, GRID), 0, 255, needed=False)}

    def memory_columns(self) -> Dict[str, Column]:
        """See `FrameRules`."""
        return state_columns(self._slots)

    def see(self, frame: CurrentFrame) -> None:
        """See `FrameRules`: the motion since the frame before."""
        self._motion.update(frame.image)

    def new_memory(self) -> MemoryBank:
        """See `FrameRules`."""
        return MemoryBank(self._slots, self._pruning)

    def prompt_inputs(self, prompt: Optional[Prompt], width: int, height: int) -> PromptSlots:
        """See `FrameRules`."""
        return self._no_prompt if prompt is None else prompt.slots(width, height)

    def hint(
        self,
        frame: CurrentFrame,
        prompt: Optional[Prompt],
        before: Optional[Decision],
        last: Optional[np.ndarray],
    ) -> Optional[np.ndarray]:
        """See `FrameRules`: `mask_prompt_b1hw`.

        A user's mask; where a frame is corrected, what it showed; without a prompt, the last mask.
        """
        if prompt is not None and prompt.mask_hw is not None:
            return mask_logits(prompt.mask_hw, self._side(frame))
        if before is not None:
            return None if before.lost else before.logits[np.newaxis, np.newaxis]
        if prompt is None and last is not None:
            return resized(last, self._side(frame))
        return None

    def decode(
        self,
        frame: CurrentFrame,
        memory: MemoryBank,
        window: Optional[int],
        inputs: PromptSlots,
        hint: Optional[np.ndarray],
    ) -> Decoded:
        """See `FrameRules`: the outputs of `mask_decoder`."""
        own = self._pruning.window
        age_bn, bias_b11n = memory.view(own if own is None or window is None else min(own, window))
        flag = 0.0 if hint is None else 1.0
        if hint is None:
            side = self._side(frame)
            hint = np.zeros((1, 1, side, side), np.float32)
        outputs = frame.run(
            "mask_decoder",
            dict(
                frame.features(),
                memory_key_bnc=memory.key,
                memory_value_bnc=memory.value,
                memory_age_bn=age_bn,
                memory_bias_b11n=bias_b11n,
                mask_prompt_b1hw=hint,
                mask_prompt_flag_b111=np.full((1, 1, 1, 1), flag, np.float32),
                **inputs._asdict(),
            ),
        )
        return Decoded(outputs, memory.box)

    def choose(
        self,
        frame: CurrentFrame,
        candidates: Decoded,
        prompt: Optional[Prompt],
        hint: Optional[np.ndarray],
    ) -> Chosen:
        """See `FrameRules`: the candidate with the highest IoU, the first of equals."""
        outputs, expected = candidates
        iou_m = frame.host(outputs["iou_bm"])[0]
        masks_mhw = frame.host(outputs["mask_logits_bmhw"])[0]
        best = int(np.argmax(iou_m))
        if prompt is None and expected is not None and expected.trusted:
            best = int(np.argmax(by_motion(iou_m, masks_mhw, expected)))
        score = float(frame.host(outputs["object_score_b1"])[0, 0])
        pointer_bc = frame.host(outputs["object_pointer_bmc"])[:, best]
        # A copy, so that a result that is kept does not keep all candidates.
        logits = masks_mhw[best].copy()
        if prompt is not None and prompt.mask_hw is not None and hint is not None:
            logits = hint[0, 0]  # the user knows better than the network
        sound = finite(iou_m) and math.isfinite(score) and finite(pointer_bc) and finite(logits)
        return Chosen(
            logits=logits,
            iou=float(iou_m[best]),
            object_score=score,
            present=sound and (prompt is not None or score > self._score_threshold),
            lost=not sound,
            pointer=pointer_bc,
        )

    def alternatives(
        self, frame: CurrentFrame, candidates: Decoded, prompt: Prompt
    ) -> List[Tuple[np.ndarray, float]]:
        """See `FrameRules`: all candidates."""
        outputs = candidates.outputs
        masks_mhw = frame.host(outputs["mask_logits_bmhw"])[0]
        return sound_masks(masks_mhw, frame.host(outputs["iou_bm"])[0])

    def remember(
        self, frame: CurrentFrame, memory: MemoryBank, chosen: Chosen, prompted: bool
    ) -> bool:
        """See `FrameRules`: new tokens of the frame, and the best of them and the bank's."""
        host = frame.host
        tokens = frame.run(
            "memory_encoder",
            {
                "features_s16_bchw": frame.features()["features_s16_bchw"],
                "mask_logits_b1hw": chosen.logits[np.newaxis, np.newaxis],
                "object_pointer_bc": chosen.pointer,
            },
        )
        if not all(finite(host(handle)) for handle in tokens.values()):
            return False
        meta = memory.candidates(
            host(tokens["token_uncertainty_bn"]), self._motion.inside(chosen.logits), prompted
        )
        kept = frame.run(
            "memory_select",
            {
                "memory_key_bnc": memory.key,
                "memory_value_bnc": memory.value,
                "token_key_bnc": tokens["token_key_bnc"],
                "token_value_bnc": tokens["token_value_bnc"],
                "candidate_meta_bnc": meta,
            },
        )
        memory.commit(kept["kept_key_bnc"], kept["kept_value_bnc"], host(kept["kept_index_bn"]))
        if self._motion_aware:
            memory.expect(after(memory.box, box_of(chosen.logits), chosen.iou, prompted))
        return True

    def _side(self, frame: CurrentFrame) -> int:
        """Return the side of the network's masks, cells."""
        return frame.size // self._mask_stride
