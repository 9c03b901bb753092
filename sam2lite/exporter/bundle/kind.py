"""How an export knows a bundle that it may replace."""

from sam2lite.contracts.build_plan import ENGINES_FOLDER, PLAN_FILE
from sam2lite.contracts.manifest import GRAPHS_FOLDER, MANIFEST_FILE
from sam2lite.exporter.bundle.device_app import DEVICE_APP, README
from sam2lite.files.staging import FolderKind

# Of a bundle that is a page as well: what browsers ask for first, and all else.
SITE_FILES = ("index.html", "isolation.js", "page/*")

BUNDLE = FolderKind(
    "a bundle",
    MANIFEST_FILE,
    '"schema_version"',
    (
        MANIFEST_FILE,
        PLAN_FILE,
        DEVICE_APP,
        README,
        f"{GRAPHS_FOLDER}/*",
        f"{ENGINES_FOLDER}/*",
        "calibration/*",
        *SITE_FILES,
    ),
)
