"""Video and image data sets on disk, all read as clips.

`open_dataset(path)` recognises the layout of DAVIS 2017, YouTube-VOS, MOSE, SA-V, COCO or SA-1B by
its folders. An item is a `DatasetClip`: nothing of it is decoded before it is asked for, and it can
be used where a generated `Clip` can. A still image is a clip of one frame.
"""

from sam2lite.data.datasets.clip import DatasetClip
from sam2lite.data.datasets.dataset import Dataset
from sam2lite.data.datasets.opening import KINDS, open_dataset
from sam2lite.data.datasets.split import split

__all__ = ["KINDS", "Dataset", "DatasetClip", "open_dataset", "split"]
