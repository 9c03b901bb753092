// COCO's compressed run-length encoding: sam2lite/runtimes/rle.py.

/**
 * Encode a mask, 1 inside and 0 outside, row by row.
 * @param {Uint8Array} mask
 * @param {number} width
 * @param {number} height
 */
export function encodeRle(mask, width, height) {
  /** @type {number[]} */
  const counts = [];
  let inside = 0, run = 0;
  for (let x = 0; x < width; x++) {
    for (let at = x; at < mask.length; at += width) {
      if (mask[at] !== inside) {
        counts.push(run);
        inside = mask[at];
        run = 0;
      }
      run++;
    }
  }
  counts.push(run);
  const text = counts.map((count, i) => characters(i > 2 ? count - counts[i - 2] : count)).join("");
  return { size: [height, width], counts: text };
}

/** @param {number} value */
function characters(value) {
  let text = "", more = true;
  while (more) {
    const group = value & 31;
    value >>= 5;
    more = value !== (group & 16 ? -1 : 0);
    text += String.fromCharCode(48 + group + (more ? 32 : 0));
  }
  return text;
}
