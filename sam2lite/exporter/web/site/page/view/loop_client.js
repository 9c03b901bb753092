// The page's end of the worker.

export class LoopClient extends EventTarget {
  constructor() {
    super();
    this.tickets = 0;
    /** @type {Map<number, (isDone: boolean) => void>} orders that are not answered yet */
    this.waiting = new Map();
    this.worker = new Worker(new URL("../loop/worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => {
      if (data.kind === "done") this.#done(data);
      else this.#tell(data.kind, data);
    };
    this.worker.onerror = (event) => {
      this.#tell("failed", { sentence: event.message || "the worker could not be started", order: "open" });
    };
  }

  /**
   * Send an order; the promise says whether it was done, or refused.
   * @param {string} kind
   * @param {any} fields
   * @param {Transferable[]} moved
   * @returns {Promise<boolean>}
   */
  send(kind, fields = {}, moved = []) {
    const ticket = this.tickets++;
    this.worker.postMessage({ kind, ticket, ...fields }, moved);
    return new Promise((resolve) => this.waiting.set(ticket, resolve));
  }

  /** @param {string} kind @param {(detail: any) => void} take */
  on(kind, take) {
    this.addEventListener(kind, (event) => take(/** @type {CustomEvent} */ (event).detail));
  }

  /** @param {string} kind @param {any} detail */
  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }

  /** @param {{ ticket: number, isDone: boolean }} answer */
  #done({ ticket, isDone }) {
    this.waiting.get(ticket)?.(isDone);
    this.waiting.delete(ticket);
  }
}
