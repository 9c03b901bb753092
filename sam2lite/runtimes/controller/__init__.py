"""Holds the frame time by choosing the rung. Standard library only, and no clock of its own."""

from sam2lite.runtimes.controller.controller import ControllerState, FrameController

__all__ = ["ControllerState", "FrameController"]
