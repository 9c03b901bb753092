"""What a model family's frame rules must give, and the memory of one object.

`ObjectTrack.process` is the order of the calls and the same for all families; what happens in each
is the family's. `Family.rules` names the class, which alone knows the family's graphs and tensors.
"""

import math
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from sam2lite.contracts.family import Family, load
from sam2lite.contracts.manifest import Manifest
from sam2lite.errors import UnknownNameError
from sam2lite.files.array_reading import Column
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.rules.current_frame import CurrentFrame, Decision, Host

# Limits of what a state file may hold.
MAX_FRAMES = 1 << 31  # of a stream: two years at 30 a second
LARGEST = 1e9  # of logits and tokens: far beyond any network's, and their sums stay finite


class Memory:
    """What is kept of one object from frame to frame; it must not grow without bound."""

    def tick(self) -> None:
        """Let one frame pass; called once for every new frame, before anything is decided."""
        raise NotImplementedError

    def forget_last(self) -> None:
        """Give up the last frame that was written: it is about to be decided anew."""
        raise NotImplementedError

    def close_last(self, frames_ago: int) -> None:
        """Take the last frame that was written for past: it will not be decided anew.

        Before a prompt that comes late, and after it: what it wrote is not of the current frame.

        Args:
            frames_ago: how many frames before the current one it was, if there is one.
        """

    def settle(self, frame_index: int) -> None:
        """Take note that `track` has returned a frame: prompts that still come correct it."""

    def rewind(self, frame_index: int) -> None:
        """Go back to before a frame: what was prompted stays, what was tracked from it on goes.

        Called only where `FrameRules.rewinds`.

        Args:
            frame_index: of the next frame.
        """
        raise NotImplementedError

    def begin_clip(self, next_index: int) -> None:
        """Carry what is known of the object to another video, whose frames count from 0.

        Args:
            next_index: of the frame that would have come next in the video so far.
        """

    def state(self, host: Host) -> Dict[str, np.ndarray]:
        """Return plain arrays for a state file, by names other than `hint`.

        Args:
            host: brings a backend's handle to NumPy.
        """
        raise NotImplementedError

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Undo `state`.

        Args:
            arrays: as `FrameRules.memory_columns` has them, each on its own.

        Raises:
            ValueError: they contradict one another.
        """
        raise NotImplementedError


class Chosen(NamedTuple):
    """What the rules chose of what the graphs gave.

    Attributes:
        logits: float32 [h, w] at the mask's stride, an array of its own.
        iou: the network's estimate of the mask's IoU, 0..1.
        object_score: logit of presence.
        present: whether the object is shown, if its frame can be written.
        lost: a number was not finite; nothing is shown or stored then.
        pointer: what memory is written with beside the mask; of the same candidate or of another.
    """

    logits: np.ndarray
    iou: float
    object_score: float
    present: bool
    lost: bool
    pointer: Any


class FrameRules:
    """The rules of one family: what is done with a frame, and with an object on it.

    One object for one stream of frames; everything about an object is in its `Memory`. A frame is
    first shown to `see`. For every object on it come `prompt_inputs`, `hint`, `decode`, `choose`
    and, unless it is lost or absent, `remember`.

    Attributes:
        settings: names of what may be set beside the manifest, as keywords of the constructor.
        remembers_absent: whether frames without the object are written to its memory, too.
        windows: those that make frames faster, ascending, the last one the whole; none where a
            smaller one saves no time. A frame budget lowers the window where the smallest input
            size is not fast enough.
        rewinds: whether memory can go back to an earlier frame; see `Memory.rewind`.
        non_overlap: whether, where the masks that are shown would overlap, only the one with the
            highest logit stays.
    """

    settings: Tuple[str, ...] = ()
    remembers_absent = False
    windows: Tuple[int, ...] = ()
    rewinds = False
    non_overlap = False

    def __init__(self, manifest: Manifest, **settings: Any) -> None:
        """Take a bundle's numbers and the settings.

        Raises:
            BundleError: the manifest lacks a number that the rules need.
            ArgumentError: a setting is out of its range.
        """
        raise NotImplementedError

    def reset(self) -> None:
        """Forget the stream: another video begins."""

    def state(self) -> Dict[str, np.ndarray]:
        """Return what is kept of the stream itself, for a state file."""
        return {}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Undo `state`, after `reset`; nothing may be raised for what fits `stream_columns`."""

    def stream_columns(self) -> Dict[str, Column]:
        """Return what `state` may give, by name: a state file with anything else is refused."""
        return {}

    def memory_columns(self) -> Dict[str, Column]:
        """Return what `Memory.state` may give, by name, in limits that tracking can go on from."""
        raise NotImplementedError

    def see(self, frame: CurrentFrame) -> None:
        """Look at a new frame, whether or not there are objects; a part of preprocessing."""

    def new_memory(self) -> Memory:
        """Return the memory of an object that was never seen."""
        raise NotImplementedError

    def prompt_inputs(self, prompt: Optional[Prompt], width: int, height: int) -> Any:
        """Check a prompt against its frame and return what `decode` takes of it.

        Args:
            prompt: None where there is none.
            width: of the frame, px.
            height: of the frame, px.

        Raises:
            PromptError: it does not fit the frame.
        """
        raise NotImplementedError

    def recall(self, frame: CurrentFrame, memory: Any) -> Optional[Chosen]:
        """Return what a prompt gave on this very frame before the stream went back over it.

        It is shown as it was then: nothing is decided anew without a prompt. None where there is
        nothing of the kind.

        Args:
            frame: without a prompt.
            memory: of the object.
        """
        return None

    def hint(
        self,
        frame: CurrentFrame,
        prompt: Optional[Prompt],
        before: Optional[Decision],
        last: Optional[np.ndarray],
    ) -> Any:
        """Return the mask that `decode` starts from, in the family's own form; None for none.

        Args:
            frame: the frame.
            prompt: on this frame.
            before: what had been decided on this very frame, which the prompt then corrects.
            last: float32 [h, w], the logits on the last frame that was decided, of any input size;
                None where the object was not visible there.
        """
        raise NotImplementedError

    def decode(
        self, frame: CurrentFrame, memory: Any, window: Optional[int], inputs: Any, hint: Any
    ) -> Any:
        """Run the graphs that find an object; return candidates, in the family's own form.

        Args:
            frame: runs graphs, as many as it takes: see `CurrentFrame.run`.
            memory: of the object.
            window: stored frames that the controller lets be seen beside the prompted ones; None
                for no limit but the rules' own.
            inputs: what `prompt_inputs` gave.
            hint: what `hint` gave.
        """
        raise NotImplementedError

    def choose(
        self, frame: CurrentFrame, candidates: Any, prompt: Optional[Prompt], hint: Any
    ) -> Chosen:
        """Choose among candidates.

        Args:
            frame: the frame.
            candidates: what `decode` gave.
            prompt: on this frame.
            hint: what `hint` gave.
        """
        raise NotImplementedError

    def alternatives(
        self, frame: CurrentFrame, candidates: Any, prompt: Prompt
    ) -> List[Tuple[np.ndarray, float]]:
        """Return all masks that a click may mean, each with its predicted IoU; logits [h, w].

        The one that `choose` chooses unless told otherwise. What is not sound is left out.

        Args:
            frame: the frame.
            candidates: what `decode` gave.
            prompt: on this frame.
        """
        chosen = self.choose(frame, candidates, prompt, None)
        return [] if chosen.lost else [(chosen.logits, chosen.iou)]

    def remember(self, frame: CurrentFrame, memory: Any, chosen: Chosen, prompted: bool) -> bool:
        """Write the frame to the object's memory.

        Args:
            frame: the frame.
            memory: of the object; must stay as it is where nothing is written.
            chosen: not lost; present, too, unless the rules remember absent objects.
            prompted: whether there was a prompt on this frame.

        Returns:
            whether it was written; not where a graph gave a number that is not finite.
        """
        raise NotImplementedError


def rules_for(family: Family, manifest: Manifest, settings: Mapping[str, Any]) -> FrameRules:
    """Return a family's rules for one stream.

    Args:
        family: of the manifest's network.
        manifest: of the bundle.
        settings: the family's own, by name.

    Raises:
        UnknownNameError: the family's rules have no such setting.
        ArgumentError: a setting is out of its range.
        BundleError: the manifest lacks a number that the rules need.
    """
    check_settings(family, settings)
    made: FrameRules = load(family.rules)(manifest, **settings)
    return made


def check_settings(family: Family, names: Iterable[str]) -> None:
    """Raise UnknownNameError for a name that is no setting of a family's rules."""
    known = load(family.rules).settings
    for name in names:
        if name not in known:
            raise UnknownNameError("{} setting".format(family.title), name, known or ("none",))


def finite(array: np.ndarray) -> bool:
    """Return whether all numbers of an array are finite."""
    # One number that is not finite makes the sum so; a sum is quicker than a look at each.
    return math.isfinite(float(array.sum()))


def sound_masks(masks_mhw: np.ndarray, iou_m: np.ndarray) -> List[Tuple[np.ndarray, float]]:
    """Return the masks whose numbers are finite, each with its predicted IoU.

    Args:
        masks_mhw: float32 [m, h, w].
        iou_m: float32 [m].
    """
    return [
        (logits, float(iou))
        for logits, iou in zip(masks_mhw, iou_m)
        if math.isfinite(iou) and finite(logits)
    ]
