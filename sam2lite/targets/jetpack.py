"""JetPack, the system of NVIDIA's Jetson boards: releases with TensorRT 8.2 or newer.

Releases with the same CUDA, TensorRT and Python are one entry, under the name of the newest.
"""

from sam2lite.targets.profile import JetPack

_STATS = "rbonghi/jetson_stats, jetson_variables.py (f41d5ca)"
_CONTAINERS = "dusty-nv/jetson-containers, l4t_version.py and cudastack/config.py (dd206bf)"
MIGRATION = "docs.nvidia.com, TensorRT 11.4.1, migration 10.x to 11.x on Jetson"

JETPACK_4 = JetPack(
    "4.6.6",
    "32.7.6",
    "10.2",
    "8.2.1",
    "8.2.1",
    "3.6",
    source=_STATS + "; versions of 4.6.1 and 4.6.2: gist Tiryoh/2b5dc1f8, inferred for others",
    also=("4.6.1", "4.6.2", "4.6.3", "4.6.4", "4.6.5"),
)
JETPACK_5 = JetPack(
    "5.1.6",
    "35.6.4",
    "11.4",
    "8.6.0",
    "8.5.2",
    "3.8",
    source=_STATS + "; " + _CONTAINERS + "; TensorRT of 5.1 and 5.1.2: NVIDIA/TensorRT issues "
    "2712 and 4103, inferred for others",
    other_tensorrt="8.6.0",
    also=("5.1", "5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.5"),
)
JETPACK_6_0 = JetPack(
    "6.0",
    "36.3",
    "12.2",
    "8.9",
    "8.6.2",
    "3.10",
    source="ultralytics/ultralytics pull request 7196; NVIDIA/TensorRT issue 3657; L4T: "
    "rbonghi/jetson_stats pull request 518",
)
JETPACK_6 = JetPack(
    "6.2.2",
    "36.5.0",
    "12.6",
    "9.3.0",
    "10.3.0",
    "3.10",
    source=_CONTAINERS + "; pytorch.org, Torch-TensorRT on JetPack (6.1, 6.2)",
    other_tensorrt="10.7",
    also=("6.1", "6.2", "6.2.1"),
)
JETPACK_7_1 = JetPack(
    "7.1",
    "38.4",
    "13.0",
    "9",
    "10.13",
    "3.12",
    source=_STATS + "; roboflow/inference pull request 1935; cuDNN is inferred, and that 7.0 has "
    "the same",
    also=("7.0",),
)
JETPACK_7_2 = JetPack(
    "7.2.2",
    "39.2",
    "13.2",
    "9.21.1",
    "10.16.2",
    "3.12",
    source=_CONTAINERS + "; TensorRT of 7.2: OE4T/meta-tegra issue 2240; Python is inferred from "
    "Ubuntu 24.04, and that 7.2.1 and 7.2.2 have the same",
    also=("7.2", "7.2.1"),
)
# Only AGX Orin and Thor; from 7.2.2 on.
JETPACK_7_2_TRT_11 = JETPACK_7_2._replace(
    source=JETPACK_7_2.source + "; TensorRT 11.4.1 from 7.2.2 on: " + MIGRATION,
    other_tensorrt="11.4.1",
)

JETPACKS = (JETPACK_4, JETPACK_5, JETPACK_6_0, JETPACK_6, JETPACK_7_1, JETPACK_7_2)
