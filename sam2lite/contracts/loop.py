"""Constants that the networks, the exporter and every runtime share, whatever the family."""

PROMPT_SLOTS = 8  # clicks and box corners together, per call
MASK_CANDIDATES = 4

# Additive attention bias of everything that must not be seen. It underflows to exactly zero after
# the softmax in FP32 and still fits FP16, unlike -1e9.
MASKED_BIAS = -1.0e4

# Prompt labels, in the order of the embedding table.
LABEL_NEGATIVE = 0
LABEL_POSITIVE = 1
LABEL_BOX_TOP_LEFT = 2
LABEL_BOX_BOTTOM_RIGHT = 3
LABEL_PAD = 4

WINDOW_MIN = 2  # stored frames that the decoder may see, beside the anchors
WINDOW_MAX = 8

MAX_OBJECTS = 16
