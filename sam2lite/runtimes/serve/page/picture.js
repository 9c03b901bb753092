// The picture: a frame, the masks over it, and what is pointed at.

const FILL = 0.42;
const DRAG_PX = 6; // a shorter one is a click
const MARK_MS = 1200; // how long a click stays to be seen in a running picture

/** Return the pixels of a COCO RLE within the smallest box around them, or null if there are none. */
function decode(rle) {
  const [height, width] = rle.size;
  const counts = [];
  for (let i = 0; i < rle.counts.length;) {
    let value = 0, shift = 0, group;
    do {
      group = rle.counts.charCodeAt(i++) - 48;
      value |= (group & 31) << shift;
      shift += 5;
    } while (group & 32);
    if (group & 16 && shift < 32) value |= -1 << shift;
    if (counts.length > 2) value += counts[counts.length - 2];
    counts.push(value);
  }
  // Columns from top to bottom; every second run is of the object.
  const runs = [];
  let left = width, right = -1, top = height, bottom = -1, at = 0;
  counts.forEach((count, i) => {
    for (let done = 0; i % 2 && done < count;) {
      const x = Math.floor((at + done) / height), y = (at + done) % height;
      const length = Math.min(count - done, height - y);
      runs.push([x, y, length]);
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y + length - 1);
      done += length;
    }
    at += count;
  });
  if (right < 0) return null;
  const mask = { left, top, width: right - left + 1, height: bottom - top + 1, area: 0, peak: left };
  mask.inside = new Uint8Array(mask.width * mask.height);
  for (const [x, y, length] of runs) {
    if (y === top) mask.peak = x; // where its label is
    mask.area += length;
    for (let i = 0; i < length; i++) mask.inside[(y - top + i) * mask.width + x - left] = 1;
  }
  return mask;
}

/** Return a canvas with the mask in a colour: its inside see-through, its outline not. */
function tinted(mask, colour, thickness) {
  const { width, height, inside } = mask;
  const image = new ImageData(width, height);
  const rgb = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  const at = (x, y) => x >= 0 && y >= 0 && x < width && y < height && inside[y * width + x];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!inside[y * width + x]) continue;
      const within = at(x - thickness, y) && at(x + thickness, y) && at(x, y - thickness) && at(x, y + thickness);
      const place = 4 * (y * width + x);
      image.data.set(rgb, place);
      image.data[place + 3] = within ? 255 * FILL : 255;
    }
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

export class PictureView {
  /**
   * canvas: to draw on. facts: of the server. colourOf(id): of an object.
   * onPoint({ frame, x, y, label }) and onBox({ frame, box }) are told what was pointed at, on which frame.
   */
  constructor(canvas, facts, colourOf, handlers) {
    this.canvas = canvas;
    this.colourOf = colourOf;
    this.handlers = handlers;
    this.beside = false;
    this.about = null;
    this.drag = null;
    this.marks = []; // { frame, object, x, y, label } or { frame, object, box }
    canvas.width = facts.width;
    canvas.height = facts.height;
    const [across, down] = facts.pixel_aspect || [1, 1];
    const ratio = facts.width * across / (facts.height * down);
    canvas.style.aspectRatio = ratio;
    canvas.style.setProperty("--ratio", ratio);
    this.frameCanvas = new OffscreenCanvas(facts.width, facts.height);
    this.context = canvas.getContext("2d");
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#release(event));
    canvas.addEventListener("pointercancel", () => { this.drag = null; this.draw(); });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  /** Take in the next frame; while something is drawn on this one, it stays. */
  show(about, bitmap) {
    if (this.drag || !about) return;
    this.about = about;
    this.frameCanvas.getContext("2d").drawImage(bitmap, 0, 0);
    this.masks = {};
    for (const [id, found] of Object.entries(about.record.objects)) {
      if (found.visible && found.rle) this.masks[id] = decode(found.rle);
    }
    this.draw();
  }

  /** Show where somebody pointed; on its own frame as long as that is shown, and else for a moment. */
  mark(mark) {
    this.marks.push({ ...mark, until: performance.now() + MARK_MS });
    this.draw();
    setTimeout(() => this.draw(), MARK_MS + 20);
  }

  /** Return the share of the picture that an object's mask covers. */
  share(id) {
    const mask = this.masks?.[id];
    return mask ? mask.area / (this.canvas.width * this.canvas.height) : 0;
  }

  draw() {
    const { context: c, canvas } = this;
    if (!this.about) return;
    const unit = canvas.width / Math.max(1, canvas.clientWidth); // a pixel of the screen
    c.drawImage(this.frameCanvas, 0, 0);
    for (const [id, mask] of Object.entries(this.masks)) {
      if (mask) c.drawImage(tinted(mask, this.colourOf(id), Math.max(1, Math.round(1.6 * unit))), mask.left, mask.top);
    }
    for (const [id, mask] of Object.entries(this.masks)) {
      if (mask) this.#label(id, mask.peak - 10 * unit, mask.top - 3 * unit, unit, this.colourOf(id));
    }
    let row = 0;
    for (const [id, found] of Object.entries(this.about.record.objects)) {
      if (found.visible && !found.lost) continue;
      this.#label(`${id} ${found.lost ? "lost" : "out of sight"}`, 8 * unit, (32 + 26 * row++) * unit, unit, this.colourOf(id), true);
    }
    const now = performance.now();
    const frame = this.about.record.index;
    this.marks = this.marks.filter((mark) => mark.frame === frame || mark.until > now);
    for (const mark of this.marks) this.#mark(mark, unit);
    if (this.drag?.moved) this.#mark({ box: this.#box(), object: this.drag.object, dashed: true }, unit);
  }

  #label(text, x, y, unit, colour, hollow = false) {
    const c = this.context;
    c.font = `600 ${13 * unit}px system-ui, "DejaVu Sans", sans-serif`;
    const width = c.measureText(text).width + 10 * unit, height = 19 * unit;
    const left = Math.min(Math.max(0, x), this.canvas.width - width);
    const top = Math.max(0, y - height);
    c.fillStyle = hollow ? "rgb(20 23 28 / 85%)" : colour;
    c.fillRect(left, top, width, height);
    if (hollow) {
      c.strokeStyle = colour;
      c.lineWidth = 1.5 * unit;
      c.setLineDash([4 * unit, 3 * unit]);
      c.strokeRect(left, top, width, height);
      c.setLineDash([]);
    }
    c.fillStyle = hollow ? colour : "#000";
    c.textBaseline = "middle";
    c.fillText(text, left + 5 * unit, top + height / 2 + unit);
  }

  #mark(mark, unit) {
    const c = this.context;
    const colour = mark.label === 0 ? "#ff5a4a" : this.colourOf(mark.object);
    if (mark.box) {
      const [x1, y1, x2, y2] = mark.box;
      c.setLineDash(mark.dashed ? [6 * unit, 4 * unit] : []);
      for (const [style, width] of [["#000", 4], [colour, 2]]) {
        c.strokeStyle = style;
        c.lineWidth = width * unit;
        c.strokeRect(x1, y1, x2 - x1, y2 - y1);
      }
      c.setLineDash([]);
      return;
    }
    c.beginPath();
    c.arc(mark.x, mark.y, 9 * unit, 0, 2 * Math.PI);
    c.fillStyle = colour;
    c.fill();
    c.lineWidth = 2 * unit;
    c.strokeStyle = "#fff";
    c.stroke();
    c.strokeStyle = "#000";
    c.lineWidth = 2.4 * unit;
    c.beginPath();
    c.moveTo(mark.x - 5 * unit, mark.y);
    c.lineTo(mark.x + 5 * unit, mark.y);
    if (mark.label !== 0) {
      c.moveTo(mark.x, mark.y - 5 * unit);
      c.lineTo(mark.x, mark.y + 5 * unit);
    }
    c.stroke();
  }

  /** Return the pixel of the frame under the pointer, within the frame. */
  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * this.canvas.width - 0.5;
    const y = (event.clientY - box.top) / box.height * this.canvas.height - 0.5;
    const inside = (value, side) => Math.round(10 * Math.min(Math.max(value, 0), side - 1)) / 10;
    return [inside(x, this.canvas.width), inside(y, this.canvas.height)];
  }

  #box() {
    const { from, to } = this.drag;
    return [Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.max(from[0], to[0]), Math.max(from[1], to[1])];
  }

  #press(event) {
    if (!this.about || event.button > 2 || this.drag) return;
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    const place = this.#place(event);
    this.drag = {
      frame: this.about.record.index, // the frame that is shown stays until the pointer is released
      from: place, to: place, x: event.clientX, y: event.clientY, moved: false,
      object: this.handlers.object(),
      label: this.beside !== (event.button === 2 || event.shiftKey) ? 0 : 1,
    };
  }

  #move(event) {
    if (!this.drag) return;
    this.drag.to = this.#place(event);
    const far = Math.hypot(event.clientX - this.drag.x, event.clientY - this.drag.y) > DRAG_PX;
    this.drag.moved ||= far;
    this.draw();
  }

  #release() {
    const drag = this.drag;
    if (!drag) return;
    const box = this.#box();
    this.drag = null;
    if (!drag.moved) {
      this.handlers.onPoint({ frame: drag.frame, object: drag.object, x: drag.from[0], y: drag.from[1], label: drag.label });
    } else if (box[2] - box[0] >= 1 && box[3] - box[1] >= 1) {
      this.handlers.onBox({ frame: drag.frame, object: drag.object, box });
    }
    this.draw();
  }
}
