"""Which rung a frame runs at: one that was set, or the one that holds a frame budget."""

from typing import Optional

from sam2lite.errors import ArgumentError
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.controller import ControllerState, FrameController
from sam2lite.runtimes.rules.current_frame import CurrentFrame
from sam2lite.runtimes.rules.interface import FrameRules
from sam2lite.runtimes.rungs import RungGraphs, RungLoader


class RungChoice:
    """The rung of the next frame, and its graphs.

    Attributes:
        graphs: of the last frame, or of the first one to come.
        loader: opens them.
    """

    def __init__(
        self,
        bundle: Bundle,
        rules: FrameRules,
        start: int,
        budget_ms: Optional[float],
        preset: str,
        threads: Optional[int],
        provider: Optional[str],
    ) -> None:
        """Open the graphs of the first rung.

        Args:
            bundle: that holds the rungs.
            rules: say whether smaller windows save time.
            start: the first rung, px.
            budget_ms: what a frame may take; None for no limit.
            preset: of the controller.
            threads: see `Bundle.open_session`.
            provider: see `Bundle.open_session`.

        Raises:
            UnknownNameError: there is no such preset.
            SessionError: the backend cannot run the bundle as asked.
        """
        family = bundle.family
        self._controller: Optional[FrameController] = None
        if budget_ms is not None:
            self._controller = FrameController(
                budget_ms,
                bundle.manifest.rungs if family.keeps_memory_across_sizes else [start],
                preset=preset,
                windows=rules.windows,
                start_rung=start,
            )
        self.loader = RungLoader(
            family,
            lambda key: bundle.open_session(key, threads=threads, provider=provider),
            bundle.check_graph,
        )
        if budget_ms is not None:
            self.loader.prepare()
        self.graphs = self.loader.get(start)

    @property
    def window(self) -> Optional[int]:
        """Stored frames that may be seen; None for no limit."""
        return None if self._controller is None else self._controller.window

    def set(self, rung: int) -> None:
        """Take another rung from the next frame on, waiting for its graphs."""
        self.graphs = self.loader.get(rung)

    def check_free(self) -> None:
        """Raise ArgumentError where a frame budget chooses the rung."""
        if self._controller is not None:
            raise ArgumentError(
                "the rung follows the frame budget; make the segmenter without budget_ms to set it"
            )

    def advance(self) -> RungGraphs:
        """Return the graphs of a new frame."""
        if self._controller is not None:
            self.graphs = self.loader.get_or_request(
                self._controller.rung, meanwhile=self.graphs.rung
            )
        return self.graphs

    def observe(self, frame: CurrentFrame, plain: bool) -> Optional[ControllerState]:
        """Tell the controller, unless the frame's time says nothing about the rung.

        Args:
            frame: that is done.
            plain: whether there was no prompt on it.

        Returns:
            the controller's state; None without a frame budget.
        """
        if self._controller is None:
            return None
        first_use = frame.graphs.frames <= 1
        if plain and frame.decisions and not first_use and not self.loader.loading:
            return self._controller.observe(frame.clock.total_ms, frame.graphs.rung)
        return self._controller.state
