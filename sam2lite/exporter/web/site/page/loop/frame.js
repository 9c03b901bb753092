// A frame that is worked on: its input, its features, and what was decided on it.

import { networkInput } from "./geometry.js";

/**
 * @typedef {import("./tensors.js").Tensors} Tensors
 * @typedef {{ run(name: string, rung: number, feeds: Tensors): Promise<Tensors> }} Graphs
 * @typedef {{ logits: Float32Array, side: number, iou: number, score: number, visible: boolean,
 *   lost: boolean, prompted: boolean, stored: boolean }} Decision
 */

export class Frame {
  /**
   * @param {number} index
   * @param {number} width of the picture, px
   * @param {number} height of the picture, px
   * @param {number} rung side of the network's input, px
   * @param {Uint8Array} image the input, [3, rung, rung]
   * @param {Graphs} graphs
   */
  constructor(index, width, height, rung, image, graphs) {
    this.index = index;
    this.width = width;
    this.height = height;
    this.rung = rung;
    this.image = image;
    this.graphs = graphs;
    /** @type {Map<number, Decision>} */
    this.decisions = new Map();
    /** @type {Record<string, number>} milliseconds by stage */
    this.ms = {};
    /** @type {Tensors | null} */
    this.encoded = null;
  }

  /**
   * Bring a picture to the network's input.
   * @param {number} index
   * @param {import("./geometry.js").Picture} picture
   * @param {number} rung
   * @param {Graphs} graphs
   */
  static of(index, picture, rung, graphs) {
    const begin = performance.now();
    const image = networkInput(picture, rung);
    const frame = new Frame(index, picture.width, picture.height, rung, image, graphs);
    frame.#add("preprocess", begin);
    return frame;
  }

  /** This frame for a prompt that comes late: none of its decisions can be undone. */
  past() {
    const copy = new Frame(this.index, this.width, this.height, this.rung, this.image, this.graphs);
    copy.encoded = this.encoded;
    for (const [id, each] of this.decisions) copy.decisions.set(id, { ...each, stored: false });
    return copy;
  }

  /** The image encoder's outputs; the image is encoded once. */
  async features() {
    this.encoded ??= await this.run("image_encoder", {
      image_bchw: { type: "uint8", data: this.image, dims: [1, 3, this.rung, this.rung] },
    });
    return this.encoded;
  }

  /**
   * Run a graph at this frame's size.
   * @param {string} name
   * @param {Tensors} feeds
   */
  async run(name, feeds) {
    const begin = performance.now();
    const given = await this.graphs.run(name, this.rung, feeds);
    this.#add(name, begin);
    return given;
  }

  /**
   * Do something that counts as postprocessing.
   * @template T
   * @param {() => T} work
   */
  finish(work) {
    const begin = performance.now();
    const done = work();
    this.#add("postprocess", begin);
    return done;
  }

  /** @param {string} stage @param {number} begin */
  #add(stage, begin) {
    this.ms[stage] = (this.ms[stage] ?? 0) + performance.now() - begin;
  }
}
