"""Constants that the networks, the exporter and every runtime share.

The frame loop's rules are in docs/architecture.md ("The frame loop"); these are its numbers.
"""

PROMPT_SLOTS = 8  # clicks and box corners together, per call
MASK_CANDIDATES = 4
TOKENS_PER_FRAME = 32  # the last one is the object pointer
MEMORY_CHANNELS = 256

# Additive attention bias of everything that must not be seen. It underflows to exactly zero after
# the softmax in FP32 and still fits FP16, unlike -1e9.
MASKED_BIAS = -1.0e4

# Prompt labels, in the order of the embedding table.
LABEL_NEGATIVE = 0
LABEL_POSITIVE = 1
LABEL_BOX_TOP_LEFT = 2
LABEL_BOX_BOTTOM_RIGHT = 3
LABEL_PAD = 4

# Columns of `candidate_meta_bnc`, the input of memory_select.
META_AGE = 0  # normalised, see `normalised_age`
META_MOTION = 1  # 0..1
META_UNCERTAINTY = 2  # 0..1, entropy of the mask under the token, in bits
META_ANCHOR = 3  # 1 for tokens of prompted frames
META_VALID = 4  # 0 for empty slots
META_COLUMNS = 5

# memory_select ranks by  score + ANCHOR_BONUS * anchor + INVALID_PENALTY * (1 - valid).
ANCHOR_BONUS = 1.0e3
INVALID_PENALTY = -1.0e4

AGE_HORIZON_FRAMES = 255  # where the normalised age reaches 1

WINDOW_MIN = 2  # stored frames that the decoder may see, beside the anchors
WINDOW_MAX = 8

PRUNING_POLICY = "anchor-fifo"  # unless another is chosen: docs/adr/0007-pruning-policy.md

MAX_OBJECTS = 16

RUNGS = (240, 288, 336, 384, 432, 480)  # 0.5x to 1.0x of 480 in steps of 0.1
