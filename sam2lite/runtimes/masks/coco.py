"""Masks of a picture as JSON in COCO's layout, with the fields of SA-1B."""

from typing import Any, Dict, Sequence

from sam2lite.runtimes.masks.everything import FoundMask


def coco_data(
    masks: Sequence[FoundMask], name: str, width: int, height: int, info: Dict[str, Any]
) -> Dict[str, Any]:
    """Return plain data.

        info                      how the masks were made
        image                     image_id, file_name, width, height
        annotations[]             id, segmentation (size [height, width] and compressed counts),
                                  bbox [x, y, width, height], area, predicted_iou,
                                  stability_score, crop_box, point_coords [[x, y]]

    Args:
        masks: of the picture.
        name: of its file.
        width: of it, px.
        height: of it, px.
        info: anything.
    """
    return {
        "info": info,
        "image": {"image_id": 1, "file_name": name, "width": width, "height": height},
        "annotations": [
            _annotation(number, found, width, height) for number, found in enumerate(masks, 1)
        ],
    }


def _annotation(number: int, found: FoundMask, width: int, height: int) -> Dict[str, Any]:
    x1, y1, x2, y2 = found.box
    return {
        "id": number,
        "segmentation": found.rle,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": found.area,
        "predicted_iou": round(found.predicted_iou, 4),
        "stability_score": round(found.stability, 4),
        "crop_box": [0, 0, width, height],
        "point_coords": [[round(float(each), 2) for each in found.point]],
    }
