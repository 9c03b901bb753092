// The picture: what the loop painted, and what is pointed at.

const DRAG_PX = 6; // a shorter one is a click
const MARK_MS = 1200;

/**
 * @typedef {{ id: number, frame: number, label?: number, x?: number, y?: number, box?: number[] }} Mark
 */

export class Stage {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{ onPoint(x: number, y: number, label: number): void, onBox(box: number[]): void }} handlers
   * @param {(id: number) => string} colourOf
   */
  constructor(canvas, handlers, colourOf) {
    this.canvas = canvas;
    this.handlers = handlers;
    this.colourOf = colourOf;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.frame = -1;
    this.isBeside = false;
    /** @type {ImageBitmap | null} */
    this.picture = null;
    /** @type {Mark[]} */
    this.marks = [];
    /** @type {{ from: number[], to: number[], isBeside: boolean } | null} */
    this.drag = null;
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", () => this.#release());
    canvas.addEventListener("pointercancel", () => { this.drag = null; this.draw(); });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  /**
   * Show a picture.
   * @param {ImageBitmap} picture
   * @param {number} frame its index
   */
  show(picture, frame) {
    this.picture?.close();
    this.picture = picture;
    this.frame = frame;
    this.canvas.dataset.frame = String(frame);
    if (this.canvas.width !== picture.width || this.canvas.height !== picture.height) {
      this.canvas.width = picture.width;
      this.canvas.height = picture.height;
      this.canvas.style.setProperty("--ratio", String(picture.width / picture.height));
    }
    this.draw();
  }

  /** Show where somebody pointed: on that frame, and else for a moment. @param {Mark} mark */
  mark(mark) {
    this.marks.push(mark);
    this.draw();
    setTimeout(() => {
      this.marks = this.marks.filter((each) => each !== mark || each.frame === this.frame);
      this.draw();
    }, MARK_MS);
  }

  clear() {
    this.marks = [];
    this.frame = -1;
  }

  draw() {
    const { context, canvas, picture } = this;
    if (!picture) return;
    context.drawImage(picture, 0, 0);
    const unit = canvas.width / Math.max(1, canvas.clientWidth);
    context.lineWidth = 2 * unit;
    for (const { id, x, y, label, box } of this.marks) {
      context.strokeStyle = box ? this.colourOf(id) : "#fff";
      context.fillStyle = label === 0 ? "#d0342c" : this.colourOf(id);
      context.beginPath();
      if (box) context.rect(box[0], box[1], box[2] - box[0], box[3] - box[1]);
      else context.arc(Number(x), Number(y), 6 * unit, 0, 2 * Math.PI);
      if (!box) context.fill();
      context.stroke();
    }
    if (this.drag) {
      const [x, y] = this.drag.from, [x2, y2] = this.drag.to;
      context.strokeStyle = "#fff";
      context.setLineDash([6 * unit, 4 * unit]);
      context.strokeRect(x, y, x2 - x, y2 - y);
      context.setLineDash([]);
    }
  }

  /** Pixels of the picture under a pointer. @param {PointerEvent} event */
  #at({ clientX, clientY }) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const across = (clientX - left) / width, down = (clientY - top) / height;
    return [
      Math.min(Math.max(Math.floor(across * this.canvas.width), 0), this.canvas.width - 1),
      Math.min(Math.max(Math.floor(down * this.canvas.height), 0), this.canvas.height - 1),
    ];
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (this.frame < 0) return;
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    const from = this.#at(event);
    this.drag = { from, to: from, isBeside: this.isBeside || event.shiftKey || event.button === 2 };
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (!this.drag) return;
    this.drag.to = this.#at(event);
    this.draw();
  }

  #release() {
    if (!this.drag) return;
    const { from, to, isBeside } = this.drag;
    this.drag = null;
    const unit = this.canvas.width / Math.max(1, this.canvas.clientWidth);
    const size = [0, 1].map((axis) => Math.abs(from[axis] - to[axis]));
    if (Math.max(...size) < DRAG_PX * unit || Math.min(...size) < 1) {
      this.handlers.onPoint(from[0], from[1], isBeside ? 0 : 1);
    } else {
      const low = [0, 1].map((axis) => Math.min(from[axis], to[axis]));
      const high = [0, 1].map((axis) => Math.max(from[axis], to[axis]) + 1);
      this.handlers.onBox([...low, ...high]);
    }
    this.draw();
  }
}
