// Which ONNX Runtime runs the graphs: WebAssembly, and WebGPU where there is one.

import { SiteError, urlOf } from "./files.js";

const WASM = { module: "ort.wasm.min.mjs", binary: "ort-wasm-simd-threaded" };
const GPU = { module: "ort.webgpu.min.mjs", binary: "ort-wasm-simd-threaded.asyncify" };

/**
 * @typedef {{ ort: any, gpu: boolean, insists: boolean, threads: number, said: string[] }} Runtime
 *   ONNX Runtime's module, whether it has a GPU and takes it even if it is slower, its threads, and
 *   what was not to be had
 */

/**
 * Load ONNX Runtime for what this browser has.
 * @param {"auto" | "wasm" | "webgpu"} wanted
 * @param {number | null} threads of WebAssembly; ONNX Runtime's own choice if null
 * @returns {Promise<Runtime>}
 */
export async function openRuntime(wanted, threads) {
  if (typeof WebAssembly !== "object") {
    throw new SiteError("this browser has no WebAssembly, which the graphs need; use a newer one");
  }
  const said = [];
  const gpu = wanted !== "wasm" && await hasAdapter();
  if (!gpu && wanted !== "wasm") said.push("no WebGPU here: WebAssembly computes");
  const { module, binary } = gpu ? GPU : WASM;
  const ort = await import(urlOf(`page/runtime/${module}`)).catch(() => {
    throw new SiteError(`page/runtime/${module} cannot be loaded; copy the whole folder`);
  });
  ort.env.wasm.wasmPaths = { mjs: urlOf(`page/runtime/${binary}.mjs`), wasm: urlOf(`page/runtime/${binary}.wasm`) };
  ort.env.logLevel = "error";
  const shared = typeof SharedArrayBuffer === "function" && globalThis.crossOriginIsolated;
  if (!shared) said.push("no SharedArrayBuffer here (not HTTPS and not this machine): one thread");
  const most = Math.min(4, Math.ceil((navigator.hardwareConcurrency || 1) / 2)); // as ONNX Runtime
  const used = shared ? threads ?? most : 1;
  ort.env.wasm.numThreads = used;
  return { ort, gpu, insists: wanted === "webgpu", threads: used, said };
}

async function hasAdapter() {
  try {
    return Boolean(await /** @type {any} */ (navigator).gpu?.requestAdapter());
  } catch {
    return false;
  }
}
