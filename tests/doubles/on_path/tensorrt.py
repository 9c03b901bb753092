"""The double as the module `tensorrt`, of the scenario in the variable TENSORRT_DOUBLE."""

import os
import sys

from tensorrt_builder import from_json, make_module

sys.modules[__name__] = make_module(from_json(os.environ["TENSORRT_DOUBLE"]))
