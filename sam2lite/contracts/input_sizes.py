"""Sizes of a network's input: how wide, and how wide for its height, the same in a whole bundle."""

import re
from fractions import Fraction
from typing import Dict, Iterable, NamedTuple, Tuple, Union

from sam2lite.errors import ArgumentError

_SIZE = re.compile(r"([1-9][0-9]{0,5})(?:x([1-9][0-9]{0,5}))?")


class Aspect(NamedTuple):
    """How wide an input is for its height, in lowest terms."""

    width: int
    height: int

    @property
    def text(self) -> str:
        """As people write it: `7:4`."""
        return "{}:{}".format(self.width, self.height)

    def height_at(self, width: int) -> int:
        """Return the height of an input.

        Args:
            width: of it, px.

        Raises:
            ArgumentError: it would be no whole number.
        """
        height, rest = divmod(width * self.height, self.width)
        if rest:
            raise ArgumentError(
                "an input of {} px cannot have the form {}; its width must be a multiple of {} "
                "px".format(width, self.text, self.width)
            )
        return height

    def sides_text(self, width: int) -> str:
        """Return an input size as people write it: `480` for a square, or `672x384`."""
        if self == SQUARE:
            return str(width)
        return "{}x{}".format(width, self.height_at(width))


SQUARE = Aspect(1, 1)


class InputSizes(NamedTuple):
    """Input sizes of one form.

    Attributes:
        widths: ascending, px.
        aspect: of all of them.
    """

    widths: Tuple[int, ...]
    aspect: Aspect

    @property
    def texts(self) -> Tuple[Union[int, str], ...]:
        """As people give them: 480 for a square, or `672x384`."""
        if self.aspect == SQUARE:
            return self.widths
        return tuple(self.aspect.sides_text(width) for width in self.widths)


def read_sizes(sizes: Iterable[Union[int, str]]) -> InputSizes:
    """Read input sizes: 480 for a square, or `672x384`, width and height.

    Raises:
        ValueError: one is no size, or they have several forms; the message says what to give.
    """
    sides = sorted({_sides(size) for size in sizes})
    forms: Dict[Aspect, str] = {}
    for width, height in sides:
        ratio = Fraction(width, height)
        aspect = Aspect(ratio.numerator, ratio.denominator)
        forms.setdefault(aspect, "{}x{} is {}".format(width, height, aspect.text))
    if len(forms) > 1:
        raise ValueError(
            "input sizes have several forms ({}), and all of a bundle have the same, so that "
            "memory fits from one to another; export the others to a bundle of their own".format(
                ", ".join(forms.values())
            )
        )
    return InputSizes(tuple(width for width, _ in sides), next(iter(forms)))


def _sides(size: Union[int, str]) -> Tuple[int, int]:
    found = _SIZE.fullmatch(str(size)) if not isinstance(size, bool) else None
    if found is None:
        raise ValueError(
            "an input size is {}; give px, as 480 for a square or '672x384' for width and "
            "height".format(ascii(size)[:60])
        )
    width = int(found.group(1))
    return width, int(found.group(2) or width)
