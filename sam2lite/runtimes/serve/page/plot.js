// Compute, age and input size of the last seconds, with the budget.

const SECONDS = 20;
const COLOURS = { compute: "#56b4e9", age: "#e69f00", size: "#8b95a5", budget: "#ff7a6b", grid: "#313843", text: "#9aa5b4" };

const STEPS = 4;

/** Return the end of an axis that starts at 0, has round steps and holds `value`. */
function axisEnd(value) {
  const step = value / STEPS;
  const power = 10 ** Math.floor(Math.log10(step));
  return STEPS * power * [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((round) => round * power >= step);
}

export class Plot {
  constructor(canvas, facts) {
    this.canvas = canvas;
    this.budget = facts.budget_ms;
    this.rungs = facts.rungs;
    this.points = []; // { s, compute, age, size, gap }; gap: none was shown just before
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  add(point) {
    const last = this.points[this.points.length - 1];
    if (last && point.s <= last.s) return;
    this.points.push(point);
    while (this.points.length && this.points[0].s < point.s - SECONDS) this.points.shift();
    this.draw();
  }

  draw() {
    const scale = window.devicePixelRatio || 1;
    const width = this.canvas.clientWidth, height = this.canvas.clientHeight;
    if (!width) return;
    if (this.canvas.width !== Math.round(width * scale) || this.canvas.height !== Math.round(height * scale)) {
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
    }
    const c = this.canvas.getContext("2d");
    c.setTransform(scale, 0, 0, scale, 0, 0);
    c.clearRect(0, 0, width, height);
    c.font = "11px system-ui, 'DejaVu Sans', sans-serif";
    const area = { left: 34, right: width - 34, top: 8, bottom: height - 18 };
    const end = this.points.length ? this.points[this.points.length - 1].s : SECONDS;
    const values = this.points.flatMap((point) => [point.compute, point.age]).filter(Number.isFinite);
    const most = axisEnd(1.08 * Math.max(10, this.budget || 0, ...values));
    const mostPx = 1.15 * Math.max(...this.rungs);
    const unit = most > 2000 ? 1000 : 1;
    const x = (s) => area.right - (end - s) / SECONDS * (area.right - area.left);
    const y = (ms) => area.bottom - Math.min(ms, most) / most * (area.bottom - area.top);
    const yPx = (px) => area.bottom - px / mostPx * (area.bottom - area.top);

    c.lineWidth = 1;
    c.textBaseline = "middle";
    for (let i = 0; i <= STEPS; i++) {
      const value = most * i / STEPS;
      c.strokeStyle = COLOURS.grid;
      c.beginPath();
      c.moveTo(area.left, Math.round(y(value)) + 0.5);
      c.lineTo(area.right, Math.round(y(value)) + 0.5);
      c.stroke();
      c.fillStyle = COLOURS.text;
      c.textAlign = "right";
      c.fillText(String(+(value / unit).toPrecision(3)), area.left - 5, y(value));
    }
    c.textAlign = "left";
    c.fillStyle = COLOURS.size;
    const shown = new Set(this.points.map((point) => point.size));
    for (const rung of shown) c.fillText(String(rung), area.right + 5, yPx(rung));
    c.fillText("px", area.right + 5, area.bottom + 10);
    c.fillStyle = COLOURS.text;
    c.textAlign = "right";
    c.fillText(unit > 1 ? "s" : "ms", area.left - 5, area.bottom + 10);
    c.textAlign = "center";
    c.fillText(`last ${SECONDS} s`, (area.left + area.right) / 2, area.bottom + 10);

    c.save();
    c.beginPath();
    c.rect(area.left, 0, area.right - area.left, area.bottom + 2);
    c.clip();
    const line = (name, place, colour, steps = false) => {
      c.strokeStyle = colour;
      c.lineWidth = 1.6;
      c.beginPath();
      let previous = null;
      for (const point of this.points) {
        if (!Number.isFinite(point[name])) { previous = null; continue; }
        if (!previous || point.gap) c.moveTo(x(point.s), place(point[name]));
        else {
          if (steps) c.lineTo(x(point.s), place(previous[name]));
          c.lineTo(x(point.s), place(point[name]));
        }
        previous = point;
      }
      c.stroke();
    };
    line("size", yPx, COLOURS.size, true);
    line("age", y, COLOURS.age);
    line("compute", y, COLOURS.compute);
    if (this.budget) {
      c.strokeStyle = COLOURS.budget;
      c.setLineDash([5, 4]);
      c.beginPath();
      c.moveTo(area.left, y(this.budget));
      c.lineTo(area.right, y(this.budget));
      c.stroke();
      c.setLineDash([]);
    }
    c.restore();
  }
}
