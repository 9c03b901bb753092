"""Input sizes of networks that take any multiple of a number."""

from sam2lite.contracts.keys import MAX_SIDE
from sam2lite.errors import ArgumentError


def check_multiple(size: int, step: int, least: int, most: int = MAX_SIDE) -> None:
    """Check that an input size is a multiple of what a network's windows or strides need.

    Args:
        size: side of the square input, px.
        step: that it must be a multiple of, px.
        least: smallest size, a multiple of `step`, px.
        most: largest size, px; unless given, what a bundle can hold.

    Raises:
        ArgumentError: it is none; the message has the nearest that are.
    """
    last = most // step * step
    if least <= size <= last and size % step == 0:
        return
    below = min(max(size // step * step, least), last)
    above = min(max(below, -(-size // step) * step), last)
    nearest = " and ".join(str(side) for side in sorted({below, above}))
    raise ArgumentError(
        f"the network does not take {size} px; its input sizes are the multiples of {step} from "
        f"{least} to {last}: nearest {'is' if below == above else 'are'} {nearest}"
    )
