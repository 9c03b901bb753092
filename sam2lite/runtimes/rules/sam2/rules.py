"""SAM 2's frame rules: those of the published loops, on graphs of fixed shape."""

import math
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from sam2lite.contracts.families.sam2 import FAMILY, LAYOUT, RECENT_FRAMES, SlotBankLayout
from sam2lite.contracts.manifest import Manifest
from sam2lite.files.array_reading import Column
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.rules.box_motion import BoxTrack
from sam2lite.runtimes.rules.current_frame import CurrentFrame, Decision
from sam2lite.runtimes.rules.interface import Chosen, FrameRules, finite, sound_masks
from sam2lite.runtimes.rules.sam2 import settings as options
from sam2lite.runtimes.rules.sam2.attention_inputs import attention_inputs
from sam2lite.runtimes.rules.sam2.candidates import Candidates, choose
from sam2lite.runtimes.rules.sam2.frame_record import FrameRecord
from sam2lite.runtimes.rules.sam2.holes import without_holes
from sam2lite.runtimes.rules.sam2.motion import choose_by_motion, motion_after
from sam2lite.runtimes.rules.sam2.prompt_tokens import PromptTokens, prompt_tokens
from sam2lite.runtimes.rules.sam2.scaling import (
    antialiased,
    bfloat16_rounded,
    enlarged,
    input_mask,
)
from sam2lite.runtimes.rules.sam2.slot_bank import MOST_RECORDS, Seen, SlotBank
from sam2lite.runtimes.rules.sam2.state_arrays import columns

ABSENT_LOGIT = -1024.0  # everywhere, where the object is not there
MASK_LOGIT = 10.0  # of a user's mask; below 0 beside it
PREVIOUS_LIMIT = 32.0  # of logits that a further click starts from


class Found(NamedTuple):
    """What `decode` gives.

    Attributes:
        candidates: of the decoder.
        tokens: of the prompt.
        mask_hw: float32 of the input's height and width, a user's mask, 1 on the object; None
            where there is none.
        initial: whether it was decoded without memory.
        conditioning: whether the frame is to be seen for good.
        motion: where the object's box was expected.
    """

    candidates: Candidates
    tokens: PromptTokens
    mask_hw: Optional[np.ndarray]
    initial: bool
    conditioning: bool
    motion: Optional[BoxTrack]


class ToRemember(NamedTuple):
    """What `remember` takes beside what is shown.

    Attributes:
        found: by `decode`.
        pointer_c: float32 [256].
        logits_hw: float32 [h, w], of any size, what memory is made of.
    """

    found: Found
    pointer_c: np.ndarray
    logits_hw: np.ndarray


class SlotBankRules(FrameRules):
    """See docs/architecture.md, "The frame loop", for how these rules are called.

    Attributes:
        layout: of the family's graphs; families that are built on SAM 2 have another.
    """

    layout: SlotBankLayout = LAYOUT
    settings = (
        "reference",
        "corrections",
        "memory_dtype",
        "pointer_frames",
        "fill_holes",
        "non_overlap",
        "motion_aware",
        "window",
    )
    remembers_absent = True
    rewinds = True
    # Beside one prompted frame, what 2, 4 and 7 slots hold.
    windows: Tuple[int, ...] = (1, 3, RECENT_FRAMES)

    def __init__(
        self,
        manifest: Manifest,
        reference: str = options.META,
        corrections: str = options.CONDITIONING,
        memory_dtype: str = options.BFLOAT16,
        pointer_frames: Optional[int] = None,
        fill_holes: int = 0,
        non_overlap: bool = False,
        motion_aware: bool = False,
        window: Optional[int] = None,
    ) -> None:
        """Check and take the settings.

        Args:
            manifest: of the bundle.
            reference: whose loop to follow where they differ: `meta` or `huggingface`. It decides
                how a mask prompt is remembered, and whether a further click starts from the mask
                that was there.
            corrections: of tracked frames: `conditioning` makes them prompted frames, which are
                seen for good; `in-place` replaces their memory, which leaves with the others.
            memory_dtype: that memory is rounded to: `bfloat16`, as published, or `float32`.
            pointer_frames: frames of the video, if their number is known; it decides how far back
                pointers are seen, up to 16. A stream has no number.
            fill_holes: cells of the logits that a hole may have to be filled; 0 fills none.
            non_overlap: whether, where objects overlap, only the one with the highest logit is
                shown.
            motion_aware: whether the expected box has a say in choosing masks and memories.
            window: frames back that memory is seen, 1 to 6; all 6 if not given.

        Raises:
            UnknownNameError: a setting has a name that does not exist.
            ArgumentError: a setting is out of its range.
        """
        self._set = options.checked(
            reference,
            corrections,
            memory_dtype,
            pointer_frames,
            fill_holes,
            non_overlap,
            motion_aware,
            window,
        )
        self.non_overlap = self._set.non_overlap
        whole = self._set.window
        self.windows = (*(each for each in type(self).windows if each < whole), whole)
        self._aspect = manifest.aspect
        self._sides = {size: FAMILY.sides(size, self._aspect) for size in manifest.rungs}
        self._threshold = manifest.postprocess.object_score_threshold

    def memory_columns(self) -> Dict[str, Column]:
        """See `FrameRules`."""
        sides = self._sides.values()
        return columns(
            MOST_RECORDS,
            [self.layout.frame_tokens(size, self._aspect) for size in self._sides],
            [(each["H4"], each["W4"]) for each in sides],
        )

    def new_memory(self) -> SlotBank:
        """See `FrameRules`."""
        return SlotBank(self._set.motion_aware, self._aspect)

    def prompt_inputs(self, prompt: Optional[Prompt], width: int, height: int) -> PromptTokens:
        """See `FrameRules`."""
        return prompt_tokens(prompt, width, height)

    def recall(self, frame: CurrentFrame, memory: SlotBank) -> Optional[Chosen]:
        """See `FrameRules`: the record of a prompted frame."""
        record = memory.prompted_on(frame.index)
        if record is None or record.logits_hw is None:
            return None
        return Chosen(record.logits_hw, record.iou, record.score, True, False, None)

    def hint(
        self,
        frame: CurrentFrame,
        prompt: Optional[Prompt],
        before: Optional[Decision],
        last: Optional[np.ndarray],
    ) -> Optional[Decision]:
        """See `FrameRules`: what a prompt corrects. Masks of earlier frames say nothing here."""
        return None if prompt is None else before

    def decode(
        self,
        frame: CurrentFrame,
        memory: SlotBank,
        window: Optional[int],
        inputs: PromptTokens,
        hint: Optional[Decision],
    ) -> Found:
        """See `FrameRules`: memory attention, unless it is the object's first frame; decoder."""
        prompted = inputs.mask_hw is not None or len(inputs.labels) > 0
        own = self._set.window
        seen = memory.seen(
            frame.index, own if window is None else min(own, window), self._set.pointer_frames
        )
        corrected = memory.on(frame.index) if prompted else None
        initial = not seen.frames or (prompted and self._begins(corrected, hint))
        conditioning = prompted and (
            initial
            or self._set.corrections == options.CONDITIONING
            or (corrected is not None and corrected.conditioning)
        )
        mask_hw: Optional[np.ndarray] = None
        mask_input: Any = None
        if inputs.mask_hw is not None:
            # The mask is the answer already, and the decoder is only asked for its pointer: without
            # memory, and without the embedding for none.
            mask_hw = input_mask(inputs.mask_hw, *frame.image.shape[2:])
            shrunk = frame.run("mask_downsample", {"mask_b1hw": mask_hw[np.newaxis, np.newaxis]})
            mask_input, image_embed = shrunk["mask_input"], frame.features()["pix_feat"]
        else:
            image_embed = self._image_embed(frame, memory, None if initial else seen)
            if prompted and self._set.reference == options.META:
                mask_input = self._previous(frame, corrected, hint)
        decoded = frame.run(
            "mask_decoder", self._decoder_inputs(frame, inputs, mask_input, image_embed)
        )
        host = frame.host
        candidates = Candidates(
            host(decoded["masks"])[0],
            host(decoded["iou_predictions"])[0],
            host(decoded["object_pointers_bmc"])[0],
            float(host(decoded["object_score_logits"])[0, 0]),
        )
        return Found(candidates, inputs, mask_hw, initial, conditioning, memory.motion)

    def _begins(self, corrected: Optional[FrameRecord], before: Optional[Decision]) -> bool:
        """Return whether a prompt is an object's first on a frame, or the first one goes on."""
        if corrected is None:
            return before is None or before.prompted
        if self._set.reference == options.META:
            return corrected.initial and not corrected.settled
        return corrected.initial

    def _image_embed(self, frame: CurrentFrame, memory: SlotBank, seen: Optional[Seen]) -> Any:
        """Return `image_embed` with what is remembered; None stands for nothing."""
        features = frame.features()
        if seen is None:
            return features["image_embed"]
        graph, inputs = attention_inputs(
            seen,
            memory.buffer,
            self.layout,
            frame.size,
            self._set.pointer_frames,
            self._aspect,
        )
        return frame.run(graph, dict(inputs, pix_feat=features["pix_feat"]))["image_embed"]

    def _previous(
        self, frame: CurrentFrame, corrected: Optional[FrameRecord], before: Optional[Decision]
    ) -> Optional[np.ndarray]:
        """Return `mask_input`, which a further click starts from; None where there is none."""
        logits = None if corrected is None else corrected.logits_hw
        if before is not None:
            logits = None if before.lost else before.logits
        if logits is None:
            return None
        known = enlarged(logits, *self._mask_shape(frame))
        limited: np.ndarray = np.clip(known, -PREVIOUS_LIMIT, PREVIOUS_LIMIT)
        return limited[np.newaxis, np.newaxis]

    def _mask_shape(self, frame: CurrentFrame) -> Tuple[int, int]:
        """Return height and width of masks, cells."""
        sides = self._sides[frame.size]
        return sides["H4"], sides["W4"]

    def _decoder_inputs(
        self, frame: CurrentFrame, tokens: PromptTokens, mask_input: Any, image_embed: Any
    ) -> Dict[str, Any]:
        features = frame.features()
        flag = 0.0 if mask_input is None else 1.0
        if mask_input is None:
            mask_input = np.zeros((1, 1, *self._mask_shape(frame)), np.float32)
        inputs = dict(
            tokens.inputs(*frame.image.shape[2:]),
            image_embed=image_embed,
            mask_input=mask_input,
            has_mask_input=np.full((1, 1, 1, 1), flag, np.float32),
        )
        inputs.update((each.name, features[each.name]) for each in self.layout.fine_maps)
        return inputs

    def choose(
        self,
        frame: CurrentFrame,
        candidates: Found,
        prompt: Optional[Prompt],
        hint: Optional[Decision],
    ) -> Chosen:
        """See `FrameRules`: the user's mask, or one of the decoder's."""
        if candidates.mask_hw is not None:
            return self._users_mask(frame, candidates, candidates.mask_hw)
        found = candidates.candidates
        choice = choose(found, candidates.tokens.several_masks)
        if prompt is None and candidates.motion is not None:
            choice = choose_by_motion(found, choice, candidates.motion)
        # A copy, so that a result that is kept does not keep all candidates.
        logits = found.masks_mhw[choice.mask].copy()
        pointer = found.pointers_mc[choice.pointer].copy()
        sound = _sound(found, pointer) and finite(logits)
        judged_present = found.score > self._threshold
        if sound and not judged_present:
            logits[:] = ABSENT_LOGIT  # an empty mask, even of a prompt
        shown = without_holes(logits, self._set.fill_holes) if sound else logits
        # Memory of prompted frames is made of what is shown, that of others of what was decided.
        kept = logits if prompt is None else shown
        return Chosen(
            logits=shown,
            iou=float(found.iou_m[choice.mask]),
            object_score=found.score,
            present=sound and (prompt is not None or judged_present),
            lost=not sound,
            pointer=ToRemember(candidates, pointer, kept),
        )

    def alternatives(
        self, frame: CurrentFrame, candidates: Found, prompt: Prompt
    ) -> List[Tuple[np.ndarray, float]]:
        """See `FrameRules`: but for the first, which is for prompts that leave no doubt."""
        found = candidates.candidates
        return sound_masks(found.masks_mhw[1:], found.iou_m[1:])

    def _users_mask(self, frame: CurrentFrame, found: Found, mask_hw: np.ndarray) -> Chosen:
        of_meta = self._set.reference == options.META
        # Meta's decoder is asked for one mask here and Hugging Face's for several.
        choice = choose(found.candidates, several_masks=not of_meta)
        pointer = found.candidates.pointers_mc[choice.pointer].copy()
        full = np.float32(2 * MASK_LOGIT) * mask_hw - np.float32(MASK_LOGIT)
        shrunk = antialiased(full, *self._mask_shape(frame))
        shown = without_holes(shrunk, self._set.fill_holes)
        sound = _sound(found.candidates, pointer)
        return Chosen(
            logits=shown,
            iou=1.0,
            object_score=MASK_LOGIT,
            present=sound,
            lost=not sound,
            pointer=ToRemember(found, pointer, shown if of_meta else full),
        )

    def remember(
        self, frame: CurrentFrame, memory: SlotBank, chosen: Chosen, prompted: bool
    ) -> bool:
        """See `FrameRules`: a record of the frame, absent or not."""
        kept: ToRemember = chosen.pointer
        mask_hw = enlarged(kept.logits_hw, *frame.image.shape[2:])
        inputs = {
            "pix_feat": frame.features()["pix_feat"],
            "high_res_mask": mask_hw[np.newaxis, np.newaxis],
            "binarize": np.full((1, 1, 1, 1), float(prompted), np.float32),
        }
        if self.layout.marks_absence:
            inputs["object_score_logits"] = np.full((1, 1), chosen.object_score, np.float32)
        written = frame.run("memory_encoder", inputs)
        memory_nc = frame.host(written["memory_features_bnc"])[0]
        if not finite(memory_nc):
            return False
        rounds = self._set.memory_dtype == options.BFLOAT16
        found, motion, good = kept.found, None, True
        if self._set.motion_aware:
            motion, good = motion_after(found.motion, chosen, prompted)
        memory.write(
            FrameRecord(
                serial=0,
                frame=frame.index,
                conditioning=found.conditioning,
                initial=found.initial,
                settled=False,
                good=good,
                memory_nc=bfloat16_rounded(memory_nc) if rounds else memory_nc.copy(),
                pointer_c=kept.pointer_c,
                logits_hw=chosen.logits if found.conditioning else None,
                iou=chosen.iou,
                score=chosen.object_score,
            ),
            motion,
        )
        return True


def _sound(candidates: Candidates, pointer_c: np.ndarray) -> bool:
    return finite(candidates.iou_m) and math.isfinite(candidates.score) and finite(pointer_c)
