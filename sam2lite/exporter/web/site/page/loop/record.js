// What is written of a frame: the fields of `sam2lite track`'s results.json.

import { encodeRle } from "./rle.js";

/** @param {number} value @param {number} digits */
const rounded = (value, digits) => (Number.isFinite(value) ? Number(value.toFixed(digits)) : null);

/**
 * A frame's record.
 * @param {import("./segmenter.js").Result} result
 * @param {number | null} ptsMs its time in the source
 */
export function frameRecord({ index, width, height, rung, objects, ms, controller }, ptsMs) {
  const found = [...objects].map(([id, each]) => [String(id), objectRecord(each, width, height)]);
  return {
    index,
    pts_ms: ptsMs === null ? null : rounded(ptsMs, 3),
    compute_ms: rounded(ms.total, 3),
    stage_ms: Object.fromEntries(Object.entries(ms).map(([stage, value]) => [stage, rounded(value, 3)])),
    rung,
    lost: [...objects.values()].some((each) => each.lost),
    objects: Object.fromEntries(found),
    ...(controller ? { controller } : {}),
  };
}

/**
 * @param {import("./segmenter.js").Found} found
 * @param {number} width
 * @param {number} height
 */
function objectRecord({ visible, lost, iou, score, prompted, mask }, width, height) {
  let area = 0, left = width, right = -1, top = height, bottom = -1;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      if (!mask[at]) continue;
      area++;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      bottom = y;
    }
  }
  return {
    visible, lost, prompted,
    iou: rounded(iou, 4),
    object_score: rounded(score, 4),
    area,
    box: area ? [left, top, right + 1, bottom + 1] : null,
    rle: encodeRle(mask, width, height),
  };
}
