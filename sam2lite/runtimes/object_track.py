"""One object through one frame: the order of its family's rules, the same for all families."""

from typing import Optional

import numpy as np

from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.rules.current_frame import CurrentFrame, Decision
from sam2lite.runtimes.rules.interface import Chosen, FrameRules, Memory


class ObjectTrack:
    """An object that is followed.

    Attributes:
        object_id: of the object.
        memory: of its frames.
        last: float32 [h, w], its logits on the last frame it was decided on, None where it was not
            visible there.
    """

    def __init__(self, object_id: int, memory: Memory, last: Optional[np.ndarray] = None) -> None:
        self.object_id = object_id
        self.memory = memory
        self.last = last

    def process(
        self,
        rules: FrameRules,
        frame: CurrentFrame,
        window: Optional[int],
        prompt: Optional[Prompt] = None,
    ) -> Decision:
        """Find the object on a frame and write what is to be remembered of it.

        Where the object was decided on this frame before, this is a correction: what was written
        then is given up.

        Args:
            rules: of the family.
            frame: the frame.
            window: stored frames that the controller lets be seen; None for no limit.
            prompt: on this frame.

        Raises:
            PromptError: the prompt does not fit the frame; nothing has changed.
            SessionError: a graph failed; the object can be processed again.
        """
        before = frame.decisions.get(self.object_id)
        recalled = rules.recall(frame, self.memory) if prompt is None else None
        if recalled is not None:
            return self._decided(frame, recalled, prompted=True, stored=False, lost=False)
        inputs = rules.prompt_inputs(prompt, frame.width, frame.height)
        if before is not None and before.stored:
            self.memory.forget_last()
            # Not twice, should a graph fail before there is a new decision.
            before = before._replace(stored=False)
            frame.decisions[self.object_id] = before
        hint = rules.hint(frame, prompt, before, self.last)
        candidates = rules.decode(frame, self.memory, window, inputs, hint)
        chosen = rules.choose(frame, candidates, prompt, hint)
        prompted = prompt is not None
        due = not chosen.lost and (chosen.present or rules.remembers_absent)
        stored = due and rules.remember(frame, self.memory, chosen, prompted)
        lost = not stored if due else chosen.lost
        return self._decided(frame, chosen, prompted, stored, lost)

    def process_late(
        self,
        rules: FrameRules,
        past: CurrentFrame,
        now: CurrentFrame,
        window: Optional[int],
        prompt: Prompt,
    ) -> Decision:
        """Take a prompt on a frame that is past; what was decided since stays as it was.

        Args:
            rules: of the family.
            past: the frame, encoded again.
            now: the frame that is current. The object can be corrected on it as before, but what
                was written of it is not given up then.
            window: see `process`.
            prompt: on the past frame.

        Raises:
            PromptError, SessionError: as `process`.
        """
        self.memory.close_last(0)
        decision = self.process(rules, past, window, prompt)
        self.memory.close_last(now.index - past.index)
        shown = now.decisions.get(self.object_id)
        if shown is not None:
            now.decisions[self.object_id] = shown._replace(stored=False)
        return decision

    def _decided(
        self, frame: CurrentFrame, chosen: Chosen, prompted: bool, stored: bool, lost: bool
    ) -> Decision:
        decision = Decision(
            logits=chosen.logits,
            iou=chosen.iou,
            object_score=chosen.object_score,
            visible=chosen.present and not lost,
            lost=lost,
            prompted=prompted,
            stored=stored,
        )
        frame.decisions[self.object_id] = decision
        self.last = chosen.logits if decision.visible else None
        return decision
