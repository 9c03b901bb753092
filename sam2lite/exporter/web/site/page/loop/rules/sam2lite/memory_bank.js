// The memory of one object, pruned by `anchor-fifo`: sam2lite/runtimes/rules/sam2lite/memory_bank.py.

import { MASKED_BIAS } from "../../prompts.js";

export const TOKENS_PER_FRAME = 32;
export const CHANNELS = 256;
export const WINDOW_MAX = 8;
const AGE_HORIZON_FRAMES = 255;
const META_COLUMNS = 5;

/** @param {number} age frames */
const normalisedAge = (age) =>
  Math.fround(Math.log1p(Math.min(age, AGE_HORIZON_FRAMES)) / Math.log1p(AGE_HORIZON_FRAMES));

/**
 * A token's bookkeeping.
 * @typedef {{ age: number, ordinal: number, token: number, uncertainty: number, anchor: boolean,
 *   valid: boolean }} Slot
 */

export class MemoryBank {
  /**
   * @param {number} slots tokens that the graphs have room for
   * @param {number} windowMax stored frames that are kept beside the anchors
   */
  constructor(slots, windowMax = WINDOW_MAX) {
    this.windowMax = windowMax;
    this.stored = 0;
    /** @type {Slot[]} */
    this.slots = Array.from({ length: slots }, () => (
      { age: 0, ordinal: -1, token: 0, uncertainty: 0, anchor: false, valid: false }));
    /** @type {Slot[]} */
    this.joined = [];
  }

  /** Let one frame pass. */
  tick() {
    for (const slot of this.slots) slot.age++;
  }

  /**
   * Take the last frame that was stored for one of some frames ago.
   * @param {number} framesAgo
   */
  closeLast(framesAgo) {
    for (const slot of this.slots) if (slot.ordinal === this.stored - 1) slot.age += framesAgo;
  }

  /**
   * What the decoder needs beside keys and values.
   * @param {number} window stored frames that may be seen
   */
  view(window) {
    const oldest = this.stored - Math.min(window, this.windowMax);
    return {
      age: Float32Array.from(this.slots, (slot) => normalisedAge(slot.age)),
      bias: Float32Array.from(this.slots, (slot) =>
        slot.valid && (slot.anchor || slot.ordinal >= oldest) ? 0 : MASKED_BIAS),
    };
  }

  /**
   * Join the slots and the tokens of a new frame; `commit` or `forgetLast` must follow.
   * @param {ArrayLike<number>} uncertainty of the new tokens
   * @param {boolean} anchor whether the new frame was prompted
   * @returns {Float32Array} rows of age, motion, uncertainty, anchor, valid
   */
  candidates(uncertainty, anchor) {
    this.#retire(anchor);
    const fresh = Array.from(uncertainty, (value, token) => (
      { age: 0, ordinal: this.stored, token, uncertainty: value, anchor, valid: true }));
    this.joined = [...this.slots.map((slot) => ({ ...slot })), ...fresh];
    this.#prune();
    const meta = new Float32Array(META_COLUMNS * this.joined.length);
    this.joined.forEach((slot, i) => meta.set(
      // Under this policy motion decides nothing but the order of slots, so none is estimated.
      [normalisedAge(slot.age), 0, slot.uncertainty, Number(slot.anchor), Number(slot.valid)],
      META_COLUMNS * i));
    return meta;
  }

  /**
   * Take what memory_select kept, in the order of rank.
   * @param {ArrayLike<number>} keptIndex
   */
  commit(keptIndex) {
    const index = Array.from(keptIndex);
    if (new Set(index).size < index.length || index.some((i) => !this.joined[i])) {
      throw new Error("memory_select kept candidates that are not there, or one twice; export the site again");
    }
    this.slots = index.map((i) => this.joined[i]);
    this.stored++;
  }

  /** Drop the tokens of the last stored frame. */
  forgetLast() {
    this.stored--;
    for (const slot of this.slots) if (slot.ordinal === this.stored) slot.valid = false;
  }

  /** @param {boolean} anchor */
  #retire(anchor) {
    const oldest = this.stored + 1 - this.windowMax;
    for (const slot of this.slots) slot.valid &&= slot.anchor || slot.ordinal >= oldest;
    if (!anchor) return;
    const anchors = [...new Set(this.slots.filter((slot) => slot.valid && slot.anchor)
      .map((slot) => slot.ordinal))].sort((a, b) => a - b);
    // Half of the budget: with more, a much corrected object would have no room to be tracked.
    if (anchors.length >= Math.floor(this.slots.length / TOKENS_PER_FRAME / 2)) {
      for (const slot of this.slots) if (slot.ordinal === anchors[1]) slot.valid = false; // the first stays
    }
  }

  /** Keep anchors, then the newest frames; of one frame the first tokens. */
  #prune() {
    const valid = this.joined.filter((slot) => slot.valid);
    valid.sort((a, b) => Number(b.anchor) - Number(a.anchor) || b.ordinal - a.ordinal || a.token - b.token);
    for (const slot of valid.slice(this.slots.length)) slot.valid = false;
  }
}
