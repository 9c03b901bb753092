// The objects: which one is clicked for, how each is, and whether it is lost.

import { colourOf } from "../loop/overlay.js";

const MOST_OBJECTS = 16;

export class ObjectList {
  selected = 1;
  /** @type {number[]} */
  known = [];
  /** @type {Map<number, { how: string, name: string }>} */
  told = new Map();
  /** @type {Map<number, number>} frames that each has been out of sight for */
  hidden = new Map();

  /**
   * @param {HTMLElement} list
   * @param {HTMLButtonElement} button that adds one
   * @param {{ onRemove(id: number): void, onSelect(): void }} handlers
   */
  constructor(list, button, handlers) {
    this.list = list;
    this.button = button;
    this.handlers = handlers;
    button.onclick = () => this.#add();
    this.clear();
  }

  clear() {
    this.selected = 1;
    this.known = [];
    this.told.clear();
    this.hidden.clear();
    this.#draw();
  }

  /** @param {number} id */
  colourOf(id) {
    return `rgb(${colourOf(id).join(" ")})`;
  }

  /**
   * Take in a frame.
   * @param {any} record
   * @param {number} pixels of the picture
   */
  show(record, pixels) {
    const found = Object.entries(record.objects).map(([id, each]) => /** @type {[number, any]} */ ([Number(id), each]));
    this.known = found.map(([id]) => id);
    for (const [id, { visible, lost, area, iou }] of found) {
      this.hidden.set(id, visible ? 0 : (this.hidden.get(id) ?? 0) + 1);
      const share = `${(100 * area / pixels).toFixed(1)}% of the picture, ${Math.round(100 * iou)}% sure`;
      const away = `out of sight for ${this.hidden.get(id)} frames; click to find it`;
      this.told.set(id, lost ? { how: "lost: the network gave no number", name: "lost" }
        : visible ? { how: share, name: "" } : { how: away, name: "hidden" });
    }
    this.#draw();
  }

  #add() {
    let id = 1;
    while (this.known.includes(id)) id++;
    if (id > MOST_OBJECTS) return;
    this.selected = id;
    this.#draw();
    this.handlers.onSelect();
  }

  /** Rows that are there stay, so that none is gone between press and release. */
  #draw() {
    const ids = this.known.includes(this.selected) ? this.known : [...this.known, this.selected];
    const rows = new Map([...this.list.children].map((row) => [Number(/** @type {HTMLElement} */ (row).dataset.id), row]));
    for (const [id, row] of rows) if (!ids.includes(id)) row.remove();
    for (const id of ids) {
      const row = rows.get(id) ?? this.#row(id);
      const isKnown = this.known.includes(id);
      const { how, name } = (isKnown && this.told.get(id)) || { how: "click on it in the picture", name: "" };
      row.className = `${name} ${id === this.selected ? "selected" : ""}`;
      /** @type {HTMLElement} */ (row.querySelector(".how")).textContent = how;
      row.querySelector(".pick")?.setAttribute("aria-pressed", String(id === this.selected));
      /** @type {HTMLElement} */ (row.querySelector(".remove")).hidden = !isKnown;
    }
    this.button.disabled = !this.known.includes(this.selected) || this.known.length >= MOST_OBJECTS;
  }

  /** @param {number} id */
  #row(id) {
    const row = document.createElement("li");
    row.dataset.id = String(id);
    const pick = document.createElement("button");
    pick.className = "pick";
    pick.type = "button";
    const swatch = document.createElement("i");
    swatch.className = "swatch";
    swatch.style.background = this.colourOf(id);
    const title = document.createElement("b");
    title.textContent = `Object ${id}`;
    const how = document.createElement("span");
    how.className = "how";
    pick.append(swatch, title, how);
    pick.onclick = () => {
      this.selected = id;
      this.#draw();
      this.handlers.onSelect();
    };
    const remove = document.createElement("button");
    remove.className = "remove";
    remove.type = "button";
    remove.textContent = "×";
    remove.title = `Stop following object ${id}`;
    remove.onclick = () => {
      this.known = this.known.filter((each) => each !== id);
      this.handlers.onRemove(id);
      if (this.selected === id) this.selected = this.known[0] ?? id;
      this.#draw();
    };
    row.append(pick, remove);
    this.list.append(row);
    return row;
  }
}
