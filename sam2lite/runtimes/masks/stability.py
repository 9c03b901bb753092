"""How much of a mask stays where its threshold moves: what is sure of its edge moves little.

After segment-anything's `calculate_stability_score`.
"""

import numpy as np

OFFSET = 1.0  # logits


def stability(logits_hw: np.ndarray, offset: float = OFFSET, threshold: float = 0.0) -> np.float32:
    """Return the IoU of the masks at a higher and a lower threshold, 0..1; 1 where both are none.

    Args:
        logits_hw: float32 [h, w].
        offset: by which the threshold is moved, logits.
        threshold: of the mask.
    """
    least = np.count_nonzero(logits_hw > threshold + offset)
    most = np.count_nonzero(logits_hw > threshold - offset)
    return np.float32(least) / np.float32(most) if most else np.float32(1.0)
