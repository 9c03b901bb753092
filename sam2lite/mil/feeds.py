"""What a function is fed: checked, and images turned into what the program takes.

Core ML hands a program an image as floats 0..255 of shape `[1, 3, h, w]`, in the colour order that
the package declares; the scale and bias of coremltools' `ImageType` are operators of the program.
Here an image is a uint8 array in RGB, `[h, w, 3]` or `[1, 3, h, w]`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sam2lite.contracts.tensors import TensorSpec
from sam2lite.errors import SessionError
from sam2lite.mil.dtypes import from_numpy, storage


@dataclass(frozen=True)
class Feed:
    """One input of a function.

    Attributes:
        spec: its name, type and shape; an image is uint8 `[1, 3, h, w]`.
        colours: `RGB` or `BGR` of an image, None otherwise.
    """

    spec: TensorSpec
    colours: str | None = None

    def tensor(self, values: np.ndarray) -> Tensor:
        """Return the tensor that the program takes for an array.

        Raises:
            SessionError: its type or shape is another.
        """
        if self.colours is None:
            self._check(values, values.shape)
            return from_numpy(values, self.spec.dtype)
        bchw = values.transpose(2, 0, 1)[None] if values.ndim == 3 else values
        self._check(values, bchw.shape)
        image_bchw = bchw if self.colours == "RGB" else bchw[:, ::-1]
        return from_numpy(image_bchw, "float32")

    def _check(self, values: np.ndarray, shape: tuple[int, ...]) -> None:
        if self.colours is not None:
            fits = values.dtype == np.uint8
        elif storage(self.spec.dtype) == torch.float32:
            fits = values.dtype.kind == "f"
        else:
            fits = values.dtype == np.dtype(self.spec.dtype)
        if not fits or shape != self.spec.shape:
            raise SessionError(
                f"input {self.spec.name!r} takes {self.spec.dtype} {list(self.spec.shape)}, but "
                f"was given {values.dtype} {list(values.shape)}"
            )
