// The bundle's graphs in ONNX Runtime, each where it runs faster.

import { readFile, SiteError } from "./files.js";

const WEIGHTS = "graphs/weights.bin";
const TRIAL_RUNS = 3;
const LEAST_AGREEMENT_DB = 40;
const ERRORS = 3; // of ONNX Runtime's levels; what it warns of is what trials find out

/**
 * @typedef {import("./tensors.js").Tensors} Tensors
 * @typedef {import("./devices.js").Runtime} Runtime
 * @typedef {"wasm" | "webgpu"} Provider
 * @typedef {(text: string, share: number) => void} Report
 */

export class SessionGraphs {
  /**
   * @param {Runtime} runtime
   * @param {any} manifest
   */
  constructor(runtime, manifest) {
    this.runtime = runtime;
    this.manifest = manifest;
    /** @type {Map<string, any>} */
    this.sessions = new Map();
    /** @type {Map<string, Provider>} by graph name, once tried */
    this.providers = new Map();
    /** @type {Uint8Array | null} */
    this.weights = null;
  }

  /** @param {string} name @param {number} rung */
  #key(name, rung) {
    return this.manifest.graphs[name] ? name : `${name}@${rung}`;
  }

  /**
   * Open all graphs of a size, unless they are.
   * @param {number} rung
   * @param {Report} report
   */
  async open(rung, report) {
    const keys = this.manifest.stages.map((/** @type {string} */ name) => this.#key(name, rung))
      .filter((/** @type {string} */ key) => !this.sessions.has(key));
    if (!keys.length) return;
    const { files } = this.manifest;
    if (!this.weights) {
      let done = 0;
      this.weights = await readFile(this.manifest, WEIGHTS, (bytes) => {
        done += bytes;
        report(`weights: ${(done / 1e6).toFixed(1)} of ${(files[WEIGHTS].bytes / 1e6).toFixed(1)} MB`, done / files[WEIGHTS].bytes);
      });
    }
    for (const [i, key] of keys.entries()) {
      report(`opening ${key}`, i / keys.length);
      const entry = this.manifest.graphs[key];
      const model = await readFile(this.manifest, entry.file);
      this.sessions.set(key, await this.#opened(entry, model));
    }
  }

  /**
   * Open a graph where it runs faster.
   * @param {any} entry
   * @param {Uint8Array} model
   */
  async #opened(entry, model) {
    const { gpu, insists } = this.runtime;
    const known = gpu ? this.providers.get(entry.name) : "wasm";
    if (known) return this.#session(model, known);
    const wasm = await this.#session(model, "wasm");
    const feeds = exampleFeeds(entry.inputs);
    const expected = await timed(this, wasm, feeds);
    /** @type {any} */
    let session = wasm, provider = /** @type {Provider} */ ("wasm");
    try {
      const other = await this.#session(model, "webgpu");
      const given = await timed(this, other, feeds);
      const agrees = agreement(expected.outputs, given.outputs) >= LEAST_AGREEMENT_DB;
      if (agrees && (insists || given.ms < expected.ms)) [session, provider] = [other, "webgpu"];
      await (session === other ? wasm : other).release();
    } catch {
      provider = "wasm"; // what WebGPU does not run, WebAssembly does
    }
    this.providers.set(entry.name, provider);
    return session;
  }

  /** @param {Uint8Array} model @param {Provider} provider */
  async #session(model, provider) {
    try {
      return await this.runtime.ort.InferenceSession.create(model, {
        executionProviders: [provider],
        logSeverityLevel: ERRORS,
        externalData: [{ path: "weights.bin", data: this.weights }],
      });
    } catch (error) {
      if (provider !== "wasm") throw error;
      throw new SiteError(`this browser cannot run the graphs: ${said(error)}`);
    }
  }

  /**
   * Run a graph.
   * @param {string} name
   * @param {number} rung
   * @param {Tensors} feeds
   */
  async run(name, rung, feeds) {
    return this.runSession(this.sessions.get(this.#key(name, rung)), feeds);
  }

  /**
   * @param {any} session
   * @param {Tensors} feeds
   * @returns {Promise<Tensors>}
   */
  async runSession(session, feeds) {
    const { Tensor } = this.runtime.ort;
    const tensors = Object.entries(feeds).map(([name, each]) => (
      [name, each instanceof Tensor ? each : new Tensor(each.type, each.data, each.dims)]));
    return session.run(Object.fromEntries(tensors));
  }
}

/** @param {unknown} error */
const said = (error) => (error instanceof Error ? error.message : String(error)).split("\n")[0].slice(0, 200);

/**
 * Run a session for its time, the fastest of a few, and what it gives.
 * @param {SessionGraphs} graphs
 * @param {any} session
 * @param {Tensors} feeds
 */
async function timed(graphs, session, feeds) {
  let outputs = await graphs.runSession(session, feeds), ms = Infinity;
  for (let i = 0; i < TRIAL_RUNS; i++) {
    const begin = performance.now();
    outputs = await graphs.runSession(session, feeds);
    ms = Math.min(ms, performance.now() - begin);
  }
  return { outputs, ms };
}

/**
 * Inputs to try a graph with.
 * @param {{ name: string, dtype: import("./tensors.js").Type, shape: number[] }[]} inputs
 * @returns {Tensors}
 */
function exampleFeeds(inputs) {
  let seed = 1;
  const draw = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  return Object.fromEntries(inputs.map(({ name, dtype, shape }) => {
    const count = shape.reduce((a, b) => a * b, 1);
    const data = dtype === "uint8" ? Uint8Array.from({ length: count }, () => 256 * draw())
      : dtype === "int32" ? new Int32Array(count)
        : Float32Array.from({ length: count }, draw);
    return [name, { type: dtype, data, dims: shape }];
  }));
}

/**
 * The least ratio of signal to error among the outputs, dB.
 * @param {Tensors} expected
 * @param {Tensors} given
 */
function agreement(expected, given) {
  return Math.min(...Object.entries(expected).map(([name, { type, data }]) => {
    if (type !== "float32") return Infinity;
    let signal = 0, noise = 0;
    data.forEach((value, i) => {
      signal += value ** 2;
      noise += (value - given[name].data[i]) ** 2;
    });
    return noise ? 10 * Math.log10(signal / noise) : Infinity;
  }));
}
