"""Print what the classes of an installed `tensorrt` module have, as JSON. Runs on Python 3.6.

LD_LIBRARY_PATH=STUBS python3 checks/trt_members.py FOLDER_OF_THE_WHEEL CLASS...
"""

import importlib
import json
import sys
from collections.abc import Sequence
from typing import Any


def members(module: Any, names: "Sequence[str]") -> "dict[str, list[str]]":
    """Return the public names of classes, by the class; a dot is a class in a class.

    Args:
        module: tensorrt.
        names: of classes; those that the module lacks are left out.
    """
    found = {"tensorrt": [name for name in dir(module) if name in names or name == "__version__"]}
    for name in names:
        owner = module
        for part in name.split("."):
            owner = getattr(owner, part, None)
        if owner is not None:
            found[name] = [member for member in dir(owner) if not member.startswith("_")]
    return found


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    tensorrt = importlib.import_module("tensorrt_bindings")
    print(json.dumps({"version": tensorrt.__version__, "members": members(tensorrt, sys.argv[2:])}))
