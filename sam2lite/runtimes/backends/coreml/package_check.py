"""A Core ML package's own list of its parts, read before Core ML follows it.

`Manifest.json` names the model and the folder of its weights, relative to `Data`. Core ML's reader
goes wherever that leads.
"""

import os
from typing import Any, Mapping

from sam2lite.contracts.fields import record, table, text
from sam2lite.errors import BundleError
from sam2lite.files.json_reading import read_json
from sam2lite.files.names import inside, is_regular

MANIFEST_FILE = "Manifest.json"
DATA_FOLDER = "Data"
_MAX_BYTES = 1 << 20
_REMEDY = "export it again"
_FIELDS = record(
    {
        "itemInfoEntries": table(record({"path": text}, others=True), most=64),
        "rootModelIdentifier": text,
    },
    others=True,
)


def read_items(path: str) -> Mapping[str, Any]:
    """Return a package's manifest, its fields checked; paths in it are not looked at.

    Raises:
        BundleError: there is none, or it cannot be read or understood.
    """
    file = inside(path, MANIFEST_FILE, BundleError)
    data = read_json(file, BundleError, _REMEDY, max_bytes=_MAX_BYTES)
    try:
        _FIELDS(data, "")
    except ValueError as error:
        raise BundleError("{} is damaged ({}); {}".format(file, error, _REMEDY)) from None
    known: Mapping[str, Any] = data
    return known


def check_package(path: str) -> str:
    """Refuse a package that names anything outside itself; return the path of its model.

    Raises:
        BundleError: an item is elsewhere, is reached over a link or missing, or there is no model.
    """
    data = read_items(path)
    data_folder = inside(path, DATA_FOLDER, BundleError)
    items = data["itemInfoEntries"]
    for item in items.values():
        within = inside(data_folder, item["path"], BundleError)
        if not os.path.isdir(within) and not is_regular(within):
            raise BundleError("{} has no {}; {}".format(path, ascii(item["path"])[:80], _REMEDY))
    root = items.get(data["rootModelIdentifier"])
    model = "" if root is None else inside(data_folder, root["path"], BundleError)
    if not is_regular(model):
        raise BundleError("{} does not say which file is its model; {}".format(path, _REMEDY))
    return model
