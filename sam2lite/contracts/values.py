"""What a tensor is, beside its name, type and shape; and what example values it takes."""

from typing import NamedTuple, Tuple


class Values(NamedTuple):
    """What example values a tensor takes, so that a graph can be traced and compared on them.

    Attributes:
        kind: `normal`: mean 0, variance 1; `image`: RGB, whole numbers from 0 to 255; `bias`:
            additive, before a softmax, 0 or so low that nothing is seen; `label`: whole numbers
            from 0 to `labels - 1`; `xy`: coordinates from 0 to 1; `unit`: any other numbers from 0
            to 1; `flag`: 1.
        labels: how many there are.
        columns: those of the last axis that hold one value all along: pairs of column and value.
    """

    kind: str
    labels: int = 0
    columns: Tuple[Tuple[int, float], ...] = ()


NORMAL = Values("normal")
IMAGE = Values("image")
BIAS = Values("bias")
XY = Values("xy")
UNIT = Values("unit")
FLAG = Values("flag")


class TensorInfo(NamedTuple):
    """What a tensor is.

    Attributes:
        words: a sentence for people.
        values: what example values it takes.
        kept: whether the loop keeps it for every object, from frame to frame.
        aliases: what packages that people use call the very same tensor: same values, same layout.
    """

    words: str
    values: Values = NORMAL
    kept: bool = False
    aliases: Tuple[str, ...] = ()
