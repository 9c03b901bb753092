// What a user points at, and its form in the graphs: sam2lite/runtimes/prompts.py.

import { floats } from "./tensors.js";

export const PROMPT_SLOTS = 8;
export const POSITIVE = 1;
const BOX_TOP_LEFT = 2;
const BOX_BOTTOM_RIGHT = 3;
const PAD = 4;
export const MASKED_BIAS = -1e4;
const PADDING_XY = 0.5;

/**
 * Clicks and a box in pixels of the picture; labels are 1 on the object and 0 beside it.
 * @typedef {{ points: number[][], labels: number[], box?: number[] | null }} Prompt
 */

/** A sentence for the user: what was asked for cannot be done. */
export class Refused extends Error {}

/**
 * The slots of a prompt, or those of a frame without one.
 * @param {Prompt | null} prompt
 * @param {number} width of the picture, px
 * @param {number} height of the picture, px
 */
export function promptInputs(prompt, width, height) {
  const xy = new Float32Array(2 * PROMPT_SLOTS).fill(PADDING_XY);
  const labels = new Int32Array(PROMPT_SLOTS).fill(PAD);
  const bias = new Float32Array(PROMPT_SLOTS).fill(MASKED_BIAS);
  /** @type {[number, number, number][]} */
  const given = prompt ? filled(prompt, width, height) : [];
  given.forEach(([x, y, label], slot) => {
    xy[2 * slot] = Math.min((x + 0.5) / width, 1);
    xy[2 * slot + 1] = Math.min((y + 0.5) / height, 1);
    labels[slot] = label;
    bias[slot] = 0;
  });
  return {
    prompt_xy_norm_bpc: floats(xy, [1, PROMPT_SLOTS, 2]),
    prompt_label_bp: { type: /** @type {const} */ ("int32"), data: labels, dims: [1, PROMPT_SLOTS] },
    prompt_bias_b11p: floats(bias, [1, 1, 1, PROMPT_SLOTS]),
  };
}

/**
 * @param {Prompt} prompt
 * @param {number} width
 * @param {number} height
 * @returns {[number, number, number][]} x, y and label of each slot
 */
function filled({ points, labels, box }, width, height) {
  /** @type {[number, number, number][]} */
  const slots = points.map(([x, y], i) => {
    if (!(x >= 0 && y >= 0 && x <= width - 1 && y <= height - 1)) {
      throw new Refused(`the click (${x}, ${y}) lies outside the frame of ${width}x${height} px`);
    }
    return [x, y, labels[i]];
  });
  if (box) {
    const [x1, y1, x2, y2] = box;
    if (!(x1 >= 0 && y1 >= 0 && x2 <= width && y2 <= height && x1 < x2 && y1 < y2)) {
      throw new Refused(`the box (${box}) does not lie in the frame of ${width}x${height} px`);
    }
    slots.push([x1, y1, BOX_TOP_LEFT], [x2, y2, BOX_BOTTOM_RIGHT]);
  }
  if (!slots.length) throw new Refused("the prompt is empty; give a click or a box");
  if (slots.length > PROMPT_SLOTS) {
    throw new Refused(`${slots.length} prompt slots are needed, and there are ${PROMPT_SLOTS}; give the rest later`);
  }
  return slots;
}
