"""The reference loop on inputs that are not square, against a published one told by axis."""

import numpy as np
import pytest

from sam2lite.models.sam2.network import Sam2
from tests.oracles.clip import random_clip
from tests.oracles.comparing import gap
from tests.oracles.hugging_face import run_hugging_face
from tests.oracles.hugging_face_forms import formed_model
from tests.oracles.ours import run_ours
from tests.oracles.scenarios import BOX, CLICK, CORRECTION, Scenario, prompted, tracked
from tests.oracles.telling_networks import SEED

LAST = 7


@pytest.mark.parametrize(
    ("height", "width"), [(128, 192), pytest.param(256, 128, marks=pytest.mark.slow)]
)
def test_hugging_face(oracle_network: Sam2, height: int, width: int) -> None:
    disc = np.hypot(*np.ogrid[-60 : height - 60, -70 : width - 70]) < 30
    scenario = Scenario(
        "not square",
        (
            prompted(0, **CLICK),
            prompted(0, 2, mask=disc),
            *tracked(last=3),
            prompted(3, **CORRECTION),
            *tracked(4, 5),
            prompted(6, 2, **BOX),
            *tracked(6, LAST),
        ),
    )
    clip = random_clip(SEED, height, width)[: LAST + 1]
    settings = {"reference": "huggingface", "corrections": "in-place", "memory_dtype": "float32"}
    with formed_model(oracle_network, height, width) as model:
        expected = run_hugging_face(model, clip, scenario, "float32")
    assert expected[0].logits_hw.shape == (height // 4, width // 4)
    shares = [float((each.logits_hw > 0).mean()) for each in expected]
    assert sum(0.01 < share < 0.99 for share in shares) > LAST
    found = gap(run_ours(oracle_network, clip, scenario, **settings), expected)
    assert found.min_iou == 1.0
    assert found.logit <= 1e-4
    assert found.pointer <= 1e-4
