// The loop in a worker of its own: pictures and prompts in, masks and painted pictures out.

import { openRuntime } from "./devices.js";
import { readManifest, SiteError, urlOf } from "./files.js";
import { SessionGraphs } from "./graphs.js";
import { paint } from "./overlay.js";
import { Refused } from "./prompts.js";
import { frameRecord } from "./record.js";
import { Segmenter } from "./segmenter.js";

/**
 * @typedef {import("./segmenter.js").Result} Result
 * @typedef {{ budget: number | null, rung: number | null }} Pace
 */

/** @type {any} */
let manifest;
/** @type {SessionGraphs} */
let graphs;
/** @type {Segmenter} */
let segmenter;
/** @type {{ pixels: ImageData, ptsMs: number | null } | null} the current frame as it came */
let shown = null;

/** @param {any} message @param {Transferable[]} moved */
const tell = (message, moved = []) => self.postMessage(message, { transfer: moved });

const orders = {
  /** @param {Pace & { device: "auto" | "wasm" | "webgpu", threads: number | null }} order */
  async open({ device, threads, ...pace }) {
    manifest = await readManifest();
    const runtime = await openRuntime(device, threads);
    graphs = new SessionGraphs(runtime, manifest);
    const family = manifest.model.family;
    const { Rules } = await import(urlOf(`page/loop/rules/${family}/rules.js`)).catch(() => {
      throw new SiteError(`this page does not know the rules of ${family}`);
    });
    segmenter = new Segmenter(manifest, new Rules(manifest), graphs);
    await setPace(pace);
    await warmUp();
    const { gpu, threads: used, said } = runtime;
    const onGpu = [...graphs.providers].filter(([, provider]) => provider === "webgpu").map(([name]) => name);
    if (gpu && !onGpu.length) said.push("WebGPU is here, and was not faster: WebAssembly computes");
    tell({
      kind: "opened", model: manifest.model.name, rungs: manifest.rungs, threads: used, onGpu, said,
      precision: precisionOf(manifest),
    });
  },

  /** @param {Pace} pace */
  async pace(pace) {
    await setPace(pace);
  },

  /** @param {{ bitmap: ImageBitmap, ptsMs: number | null }} order */
  async frame({ bitmap, ptsMs }) {
    const { width, height } = bitmap;
    const context = canvasOf(width, height);
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    const pixels = context.getImageData(0, 0, width, height);
    const result = await segmenter.track(pixels);
    shown = { pixels, ptsMs };
    show(result);
  },

  /** @param {{ index: number, id: number, prompt: import("./prompts.js").Prompt }} order */
  async prompt({ index, id, prompt }) {
    await segmenter.prompt(index, id, prompt);
    const now = segmenter.current();
    // Of a frame that is past nothing more is shown: the next one makes use of it.
    if (now && now.index === index) show({ ...now, ms: { ...now.ms, total: NaN } });
  },

  /** @param {{ id: number }} order */
  async remove({ id }) {
    segmenter.remove(id);
    const now = segmenter.current();
    if (now) show({ ...now, ms: { ...now.ms, total: NaN } });
  },

  async reset() {
    segmenter.reset();
    shown = null;
  },
};

/** @param {any} manifest */
function precisionOf({ graphs: entries }) {
  return Object.values(entries).map((/** @type {any} */ entry) => entry.precision)
    .find((precision) => precision !== "fp32") ?? "fp32";
}

/** @param {Pace} pace */
async function setPace({ budget, rung }) {
  const { rungs } = manifest;
  const start = rung ?? rungs[0];
  // What the controller may choose is opened before it does.
  const needed = budget === null ? [start] : rungs;
  for (const each of needed) {
    await graphs.open(each, (text, share) => tell({ kind: "progress", text: `${each} px: ${text}`, share }));
  }
  segmenter.pace(budget, rungs, start);
}

/** First runs take longer than others: they are made before anybody clicks. */
async function warmUp() {
  tell({ kind: "progress", text: "first run", share: 1 });
  const side = 64;
  const picture = { data: new Uint8Array(4 * side * side), width: side, height: side };
  await segmenter.track(picture);
  await segmenter.prompt(0, 1, { points: [[side / 2, side / 2]], labels: [1] });
  await segmenter.track(picture);
  segmenter.reset();
}

/** @type {Map<string, OffscreenCanvasRenderingContext2D>} */
const canvases = new Map();

/** @param {number} width @param {number} height */
function canvasOf(width, height) {
  const name = `${width}x${height}`;
  let context = canvases.get(name);
  if (!context) {
    canvases.clear();
    const made = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    context = /** @type {OffscreenCanvasRenderingContext2D} */ (made);
    canvases.set(name, context);
  }
  return context;
}

/** Send a frame with its masks painted in. @param {Result} result */
function show(result) {
  if (!shown) return;
  const { width, height } = result;
  const painted = new Uint8ClampedArray(shown.pixels.data);
  for (const [id, { mask, visible }] of result.objects) if (visible) paint(painted, width, height, mask, id);
  const context = canvasOf(width, height);
  context.putImageData(new ImageData(painted, width, height), 0, 0);
  const picture = context.canvas.transferToImageBitmap();
  tell({ kind: "result", record: frameRecord(result, shown.ptsMs), width, height, picture }, [picture]);
}

let last = Promise.resolve();

// One order at a time, in the order in which they came.
self.onmessage = ({ data }) => {
  last = last.then(async () => {
    let isDone = true;
    try {
      await orders[/** @type {keyof typeof orders} */ (data.kind)](data);
    } catch (error) {
      isDone = false;
      const sentence = error instanceof Error ? error.message : String(error);
      const kind = error instanceof Refused ? "refused" : "failed";
      tell({ kind, sentence, order: data.kind });
    }
    tell({ kind: "done", ticket: data.ticket, isDone });
  });
};
