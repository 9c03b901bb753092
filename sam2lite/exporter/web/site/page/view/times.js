// What frames take, as figures and as a line over the last of them.

const SHOWN = 160;
const MIDDLE = 15; // frames that a figure is the median of

export class Times {
  /** @type {{ ms: number, rung: number }[]} */
  frames = [];

  /**
   * @param {HTMLElement} figures with an element for each figure, by `data-of`
   * @param {HTMLCanvasElement} plot
   */
  constructor(figures, plot) {
    this.figures = figures;
    this.plot = plot;
    this.clear();
  }

  clear() {
    this.frames = [];
    for (const name of ["frame", "rate", "size", "first", "controller"]) this.#set(name, "–");
  }

  /** @param {string} name @param {string} text */
  #set(name, text) {
    const place = this.figures.querySelector(`[data-of=${name}]`);
    if (place) place.textContent = text;
  }

  /** @param {number} ms from a click to its mask */
  first(ms) {
    this.#set("first", `${Math.round(ms)} ms`);
  }

  /**
   * Take in a frame.
   * @param {any} record
   * @param {number | null} budget ms
   */
  add({ compute_ms: ms, rung, controller }, budget) {
    this.frames = [...this.frames.slice(1 - SHOWN), { ms, rung }];
    const last = this.frames.slice(-MIDDLE).map((frame) => frame.ms).sort((a, b) => a - b);
    const median = last[last.length >> 1];
    this.#set("frame", `${median.toFixed(median < 100 ? 1 : 0)} ms`);
    this.#set("rate", `${(1000 / median).toFixed(1)} a second`);
    this.#set("size", `${rung} px`);
    this.#set("controller", controller ? controller.status : "off");
    this.#draw(budget);
  }

  /** @param {number | null} budget */
  #draw(budget) {
    const { plot, frames } = this;
    const scale = devicePixelRatio;
    plot.width = plot.clientWidth * scale;
    plot.height = plot.clientHeight * scale;
    const context = /** @type {CanvasRenderingContext2D} */ (plot.getContext("2d"));
    const most = 1.15 * Math.max(budget ?? 0, ...frames.map((frame) => frame.ms));
    const x = (/** @type {number} */ i) => plot.width * i / (SHOWN - 1);
    const y = (/** @type {number} */ ms) => plot.height * (1 - ms / most);
    context.lineWidth = 1.5 * scale;
    if (budget) {
      context.strokeStyle = "#ff7a6b";
      context.setLineDash([4 * scale, 4 * scale]);
      context.beginPath();
      context.moveTo(0, y(budget));
      context.lineTo(plot.width, y(budget));
      context.stroke();
      context.setLineDash([]);
    }
    context.strokeStyle = "#56b4e9";
    context.beginPath();
    frames.forEach(({ ms }, i) => context.lineTo(x(i + SHOWN - frames.length), y(ms)));
    context.stroke();
  }
}
