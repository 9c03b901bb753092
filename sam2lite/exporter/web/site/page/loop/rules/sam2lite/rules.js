// SAM2-Lite's frame rules: sam2lite/runtimes/rules/sam2lite/rules.py. Words: docs/architecture.md.

import { resized } from "../../geometry.js";
import { promptInputs } from "../../prompts.js";
import { floats, isFinite32, numbers, row } from "../../tensors.js";
import { CHANNELS, MemoryBank, WINDOW_MAX } from "./memory_bank.js";

const WINDOW_MIN = 2;

/**
 * @typedef {import("../../tensors.js").Tensors} Tensors
 * @typedef {import("../../frame.js").Frame} Frame
 * @typedef {import("../../frame.js").Decision} Decision
 * @typedef {import("../../prompts.js").Prompt} Prompt
 * @typedef {{ logits: Float32Array, side: number }} Shown a mask and the side of its grid
 * @typedef {{ bank: MemoryBank, key: import("../../tensors.js").Tensor,
 *   value: import("../../tensors.js").Tensor }} Memory
 * @typedef {Shown & { iou: number, score: number, pointer: Float32Array, present: boolean,
 *   lost: boolean }} Chosen
 */

export class Rules {
  /** @param {any} manifest of the bundle */
  constructor(manifest) {
    /** @type {number} */
    this.slots = manifest.memory.budget;
    /** Windows that save time, ascending. */
    this.windows = manifest.memory.window_saves_time
      ? Array.from({ length: WINDOW_MAX - WINDOW_MIN + 1 }, (_, i) => WINDOW_MIN + i) : [];
    this.stride = manifest.postprocess.mask_stride;
    this.scoreThreshold = manifest.postprocess.object_score_threshold;
  }

  /** @returns {Memory} */
  newMemory() {
    const empty = () => floats(new Float32Array(this.slots * CHANNELS), [1, this.slots, CHANNELS]);
    return { bank: new MemoryBank(this.slots), key: empty(), value: empty() };
  }

  /**
   * The mask to start from, if any: this frame's where it is corrected, else the last.
   * @param {Frame} frame
   * @param {Prompt | null} prompt
   * @param {Decision | undefined} before
   * @param {Shown | null} last
   */
  hint(frame, prompt, before, last) {
    if (before) return before.lost ? null : before.logits;
    const side = frame.rung / this.stride;
    return !prompt && last ? resized(last.logits, last.side, last.side, side, side) : null;
  }

  /**
   * Run the decoder.
   * @param {Frame} frame
   * @param {Memory} memory
   * @param {number} window stored frames that the controller lets be seen
   * @param {Prompt | null} prompt
   * @param {Float32Array | null} hint
   */
  async decode(frame, memory, window, prompt, hint) {
    const inputs = promptInputs(prompt, frame.width, frame.height);
    const { age, bias } = memory.bank.view(window);
    const side = frame.rung / this.stride;
    return frame.run("mask_decoder", {
      ...await frame.features(),
      memory_key_bnc: memory.key,
      memory_value_bnc: memory.value,
      memory_age_bn: floats(age, [1, age.length]),
      memory_bias_b11n: floats(bias, [1, 1, 1, bias.length]),
      ...inputs,
      mask_prompt_b1hw: floats(hint ?? new Float32Array(side * side), [1, 1, side, side]),
      mask_prompt_flag_b111: floats(Float32Array.of(hint ? 1 : 0), [1, 1, 1, 1]),
    });
  }

  /**
   * Choose the candidate with the highest IoU, the first of equals.
   * @param {Frame} frame
   * @param {Tensors} candidates what `decode` gave
   * @param {Prompt | null} prompt
   * @returns {Chosen}
   */
  choose(frame, candidates, prompt) {
    const ious = numbers(candidates.iou_bm);
    const best = ious.reduce((so, iou, i) => (iou > ious[so] ? i : so), 0);
    const score = numbers(candidates.object_score_b1)[0];
    const pointer = row(candidates.object_pointer_bmc, best);
    const logits = row(candidates.mask_logits_bmhw, best);
    const sound = Number.isFinite(score) && [ious, pointer, logits].every(isFinite32);
    return {
      logits, side: frame.rung / this.stride, iou: ious[best], score, pointer,
      present: sound && (prompt !== null || score > this.scoreThreshold),
      lost: !sound,
    };
  }

  /**
   * Write the frame to the object's memory; false where a graph gave a number that is not finite.
   * @param {Frame} frame
   * @param {Memory} memory
   * @param {Chosen} chosen
   * @param {boolean} prompted
   */
  async remember(frame, memory, { logits, side, pointer }, prompted) {
    const tokens = await frame.run("memory_encoder", {
      features_s16_bchw: (await frame.features()).features_s16_bchw,
      mask_logits_b1hw: floats(logits, [1, 1, side, side]),
      object_pointer_bc: floats(pointer, [1, CHANNELS]),
    });
    if (!Object.values(tokens).every((tensor) => isFinite32(numbers(tensor)))) return false;
    const meta = memory.bank.candidates(numbers(tokens.token_uncertainty_bn), prompted);
    const kept = await frame.run("memory_select", {
      memory_key_bnc: memory.key,
      memory_value_bnc: memory.value,
      token_key_bnc: tokens.token_key_bnc,
      token_value_bnc: tokens.token_value_bnc,
      candidate_meta_bnc: floats(meta, [1, memory.bank.joined.length, meta.length / memory.bank.joined.length]),
    });
    memory.bank.commit(kept.kept_index_bn.data);
    memory.key = kept.kept_key_bnc;
    memory.value = kept.kept_value_bnc;
    return true;
  }
}
