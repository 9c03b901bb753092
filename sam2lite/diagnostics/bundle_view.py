"""What a bundle's image encoder gives of a frame."""

import numpy as np
from numpy.typing import NDArray

from sam2lite.diagnostics.maps import TokenMap, View, token_map
from sam2lite.files.names import public_name
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.geometry import network_input


def bundle_view(bundle: Bundle, frame_bgr: NDArray[np.uint8], size: int) -> View:
    """Encode a frame and return the maps that the graph gives.

    Args:
        bundle: whose image encoder is run.
        frame_bgr: uint8 [height, width, 3].
        size: width of the input, px.

    Raises:
        UnknownNameError: the bundle does not hold the size.
        SessionError: the graph cannot be run here.
        ArgumentError: a number is not finite.
    """
    bundle.check_rung(size)
    aspect = bundle.manifest.aspect
    image = network_input(frame_bgr, size, aspect=aspect)
    maps: dict[str, TokenMap] = {}
    with bundle.open_session(bundle.family.image_encoder.key(size)) as session:
        tensor = session.spec.inputs[0]
        outputs = session.run({tensor.name: image.astype(tensor.dtype, copy=False)})
        for name, handle in outputs.items():
            found = token_map(np.asarray(session.numpy(handle)), aspect)
            if found is not None:
                maps[name] = found
    precision = bundle.manifest.precision.upper()
    label = f"{public_name(bundle.path)}, {precision}, {aspect.sides_text(size)} px"
    return View(label, maps)
