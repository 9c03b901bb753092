"""Lists of links, such as SA-1B's, fetched in parallel, checked, and gone on with after a stop."""

from sam2lite.data.downloads.batch import Batch
from sam2lite.data.downloads.links import Link, read_links
from sam2lite.data.downloads.transfer import Outcome

__all__ = ["Batch", "Link", "Outcome", "read_links"]
