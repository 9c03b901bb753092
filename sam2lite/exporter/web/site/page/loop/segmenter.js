// The frame loop: sam2lite/runtimes/segmenter.py and object_track.py. Rules: docs/architecture.md.

import { FrameController } from "./controller/controller.js";
import { Frame } from "./frame.js";
import { sourceMask } from "./geometry.js";
import { POSITIVE, promptInputs, Refused } from "./prompts.js";

export const MAX_OBJECTS = 16;
const WHOLE_WINDOW = 8;
const LATE_FRAMES = 4; // a click comes for the frame that is shown, which is one or two behind

/**
 * @typedef {import("./frame.js").Decision} Decision
 * @typedef {import("./geometry.js").Picture} Picture
 * @typedef {import("./prompts.js").Prompt} Prompt
 * @typedef {{ memory: any, last: { logits: Float32Array, side: number } | null }} Track
 * @typedef {Decision & { mask: Uint8Array }} Found
 * @typedef {{ index: number, width: number, height: number, rung: number, objects: Map<number, Found>,
 *   ms: Record<string, number>, controller: { rung: number, window: number, status: string } | null }} Result
 */

export class Segmenter {
  /** @type {Map<number, Track>} */
  tracks = new Map();
  /** @type {Frame[]} the last frames, the current one last */
  frames = [];

  /**
   * @param {any} manifest of the bundle
   * @param {any} rules of its family
   * @param {import("./frame.js").Graphs} graphs
   */
  constructor(manifest, rules, graphs) {
    this.rules = rules;
    this.graphs = graphs;
    /** @type {number} */
    this.threshold = manifest.postprocess.mask_threshold;
    /** @type {number} */
    this.rung = manifest.rungs[manifest.rungs.length - 1];
    /** @type {FrameController | null} */
    this.controller = null;
    /** @type {Map<number, number>} */
    this.uses = new Map();
  }

  /** Forget all objects, and begin at frame 0. */
  reset() {
    this.tracks = new Map();
    this.frames = [];
  }

  /**
   * Hold a frame time by choosing among sizes, or run at one size.
   * @param {number | null} budgetMs
   * @param {number[]} rungs to choose from
   * @param {number} rung to start with
   */
  pace(budgetMs, rungs, rung) {
    this.rung = rung;
    this.controller = budgetMs === null ? null : new FrameController(budgetMs, rungs, this.rules.windows, rung);
  }

  /** Ids of the objects that are followed. */
  get ids() {
    return [...this.tracks.keys()].sort((a, b) => a - b);
  }

  get #current() {
    return this.frames[this.frames.length - 1];
  }

  get #window() {
    return this.controller?.window ?? WHOLE_WINDOW;
  }

  /**
   * Follow every object into the next frame.
   * @param {Picture} picture
   * @returns {Promise<Result>}
   */
  async track(picture) {
    const begin = performance.now();
    const frame = this.#begin(picture);
    for (const id of this.ids) await this.#process(this.#track(id), id, frame, null);
    const result = this.#result(frame, this.ids);
    result.ms.total = performance.now() - begin;
    // A size's first use says nothing about its time.
    if (this.controller && frame.decisions.size && (this.uses.get(frame.rung) ?? 0) > 1) {
      this.controller.observe(result.ms.total, frame.rung);
    }
    if (this.controller) result.controller = this.controller.state;
    return result;
  }

  /**
   * Begin with a frame, to prompt on it before anything else.
   * @param {Picture} picture
   */
  #begin(picture) {
    const last = this.#current;
    if (last && (last.width !== picture.width || last.height !== picture.height)) {
      throw new Refused("the picture has another size than before; start again with it");
    }
    if (this.controller) this.rung = this.controller.rung;
    const frame = Frame.of(last ? last.index + 1 : 0, picture, this.rung, this.graphs);
    this.frames = [...this.frames.slice(1 - LATE_FRAMES), frame];
    for (const track of this.tracks.values()) track.memory.bank.tick();
    return frame;
  }

  /**
   * Point out an object, or correct it, on the current frame or on one of the last.
   * @param {number} index of the frame
   * @param {number} id
   * @param {Prompt} prompt
   * @returns {Promise<Result>} of the object alone
   */
  async prompt(index, id, prompt) {
    const frame = this.frames.find((each) => each.index === index);
    if (!frame) throw new Refused(`frame ${index} is none of the last ${LATE_FRAMES}; click on a newer one`);
    promptInputs(prompt, frame.width, frame.height); // before anything changes
    if (!this.tracks.has(id) && this.tracks.size >= MAX_OBJECTS) {
      throw new Refused(`${MAX_OBJECTS} objects at a time is the limit; remove one first`);
    }
    if (!this.tracks.has(id) && !prompt.box && !prompt.labels.includes(POSITIVE)) {
      throw new Refused(`object ${id} is new and its clicks are all beside it; click on it as well`);
    }
    const track = this.tracks.get(id) ?? { memory: this.rules.newMemory(), last: null };
    const now = this.#current;
    const shown = frame === now ? frame : frame.past();
    shown.ms = {};
    await this.#process(track, id, shown, prompt);
    if (frame !== now) {
      track.memory.bank.closeLast(now.index - frame.index);
      const decided = now.decisions.get(id);
      if (decided) now.decisions.set(id, { ...decided, stored: false });
    }
    this.tracks.set(id, track);
    return this.#result(shown, [id]);
  }

  /**
   * What is known of all objects on the current frame.
   * @returns {Result | null}
   */
  current() {
    const frame = this.#current;
    return frame ? this.#result(frame, this.ids.filter((id) => frame.decisions.has(id))) : null;
  }

  /**
   * Stop following an object.
   * @param {number} id
   */
  remove(id) {
    this.tracks.delete(id);
    for (const frame of this.frames) frame.decisions.delete(id);
  }

  /** @param {number} id */
  #track(id) {
    return /** @type {Track} */ (this.tracks.get(id));
  }

  /**
   * One object through one frame: the order of the rules.
   * @param {Track} track
   * @param {number} id
   * @param {Frame} frame
   * @param {Prompt | null} prompt
   */
  async #process(track, id, frame, prompt) {
    const { rules } = this;
    const encodes = !frame.encoded;
    let before = frame.decisions.get(id);
    if (before?.stored) {
      track.memory.bank.forgetLast();
      // Not twice, should a graph fail before there is a new decision.
      before = { ...before, stored: false };
      frame.decisions.set(id, before);
    }
    const hint = rules.hint(frame, prompt, before, track.last);
    const candidates = await rules.decode(frame, track.memory, this.#window, prompt, hint);
    if (encodes) this.uses.set(frame.rung, (this.uses.get(frame.rung) ?? 0) + 1);
    const chosen = rules.choose(frame, candidates, prompt);
    const stored = chosen.present && await rules.remember(frame, track.memory, chosen, prompt !== null);
    const { logits, side, iou, score } = chosen;
    const lost = chosen.lost || (chosen.present && !stored);
    const visible = chosen.present && !lost;
    frame.decisions.set(id, { logits, side, iou, score, visible, lost, prompted: prompt !== null, stored });
    track.last = visible ? { logits, side } : null;
  }

  /**
   * @param {Frame} frame
   * @param {number[]} ids
   * @returns {Result}
   */
  #result(frame, ids) {
    const { width, height } = frame;
    const objects = frame.finish(() => new Map(ids.map((id) => {
      const found = /** @type {Decision} */ (frame.decisions.get(id));
      const mask = found.visible
        ? sourceMask(found.logits, found.side, width, height, this.threshold)
        : new Uint8Array(width * height);
      return [id, { ...found, mask }];
    })));
    const { index, rung, ms } = frame;
    return { index, width, height, rung, objects, ms: { ...ms }, controller: null };
  }
}
