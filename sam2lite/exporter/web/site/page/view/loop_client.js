// The page's end of the worker.

/**
 * @typedef {{ id: number, frame: number }} Pointed
 */

export class LoopClient extends EventTarget {
  constructor() {
    super();
    this.worker = new Worker(new URL("../loop/worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.dispatchEvent(new CustomEvent(data.kind, { detail: data }));
    this.worker.onerror = (event) => this.dispatchEvent(new CustomEvent("failed", {
      detail: { sentence: event.message || "the worker could not be started", order: "open" },
    }));
  }

  /** @param {string} kind @param {any} fields @param {Transferable[]} moved */
  send(kind, fields = {}, moved = []) {
    this.worker.postMessage({ kind, ...fields }, moved);
  }

  /** @param {string} kind @param {(detail: any) => void} take */
  on(kind, take) {
    this.addEventListener(kind, (event) => take(/** @type {CustomEvent} */ (event).detail));
  }

  /**
   * Send an order, and wait for the first answer of some kinds.
   * @param {string} order
   * @param {any} fields
   * @param {string[]} kinds
   * @param {Transferable[]} moved
   * @returns {Promise<any>}
   */
  ask(order, fields, kinds, moved = []) {
    return new Promise((resolve) => {
      const take = (/** @type {Event} */ event) => {
        for (const kind of kinds) this.removeEventListener(kind, take);
        resolve(/** @type {CustomEvent} */ (event).detail);
      };
      for (const kind of kinds) this.addEventListener(kind, take);
      this.send(order, fields, moved);
    });
  }
}
