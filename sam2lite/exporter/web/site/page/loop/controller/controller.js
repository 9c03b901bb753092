// Holds a frame time by choosing the size: runtimes/controller, its preset `default`.

import { lastAtMost, TimeModel } from "./time_model.js";

const WINDOW_MAX = 8;
const WINDOW_STEP = 0.02;
const LATENCY_LIMIT_MS = 3.6e6; // a frame of an hour is a machine that slept
const LOG_RATIO_LIMIT = 20;
const HYSTERESIS = 0.03;
const DWELL = 3;

/**
 * @typedef {{ rung: number, window: number, scale: number }} Level
 */

export class FrameController {
  /**
   * @param {number} budgetMs what a frame may take, above 0
   * @param {number[]} rungs to choose from, px
   * @param {number[]} windows that save time, ascending; none where they do not
   * @param {number} start the first rung
   */
  constructor(budgetMs, rungs, windows = [], start = Math.max(...rungs)) {
    this.levels = buildLevels(rungs, windows);
    this.logBudget = Math.log(budgetMs);
    this.model = new TimeModel(this.levels.map((level) => level.scale));
    this.pid = new Pid();
    this.held = this.levels.findLastIndex((level) => level.rung === start);
    this.scale = this.levels[this.held].scale;
    this.heldFrames = 0;
    this.isSaturated = false;
    /** @type {"holding" | "settling" | "saturated"} */
    this.status = "settling";
  }

  /** Side of the next frame's input, px. */
  get rung() {
    return this.levels[this.held].rung;
  }

  /** Stored frames that the next frame may see. */
  get window() {
    return this.levels[this.held].window;
  }

  get state() {
    return { rung: this.rung, window: this.window, status: this.status };
  }

  /**
   * Take in one frame.
   * @param {number} latencyMs
   * @param {number} rung it ran at
   */
  observe(latencyMs, rung = this.rung) {
    if (!(latencyMs > 0 && latencyMs < LATENCY_LIMIT_MS)) return;
    const lowest = this.levels[0].rung;
    const window = rung === lowest ? this.window : this.levels[this.levels.length - 1].window;
    const ran = this.levels.findIndex((level) => level.rung === rung && level.window === window);
    if (ran < 0) return;
    this.model.observe(ran, latencyMs);
    if (this.model.isStarted) this.#act();
    const known = this.model.isReady && ran === this.held;
    this.status = this.isSaturated ? "saturated" : known ? "holding" : "settling";
  }

  #act() {
    const low = this.levels[0].scale, high = this.levels[this.levels.length - 1].scale;
    const error = -this.#late(this.scale);
    const isBlocked = error > 0 ? this.scale >= high : this.scale <= low;
    const step = this.pid.step(error, isBlocked);
    this.scale = Math.min(Math.max(this.model.move(this.scale, step), low), high);
    this.#climb(this.#late(this.levels[this.held].scale));
  }

  /** Round the scale down to a level, with hysteresis and dwell. @param {number} late */
  #climb(late) {
    const isTooLate = late > HYSTERESIS;
    this.isSaturated = this.held === 0 && (isTooLate || (this.isSaturated && late > 0));
    this.heldFrames++;
    const wanted = lastAtMost(this.levels.map((level) => level.scale), this.scale);
    const moves = wanted > this.held || (wanted < this.held && isTooLate);
    if (moves && this.heldFrames >= DWELL) {
      this.held = wanted;
      this.heldFrames = 0;
    }
  }

  /** Time at a scale over the budget, less one. @param {number} scale */
  #late(scale) {
    return Math.exp(Math.min(this.model.logTime(scale) - this.logBudget, LOG_RATIO_LIMIT)) - 1;
  }
}

/** A PID law in the form that gives increments; the integral is conditional. */
class Pid {
  constructor() {
    this.sum = 0;
    /** @type {number | null} */
    this.before = null;
  }

  /** @param {number} error @param {boolean} isBlocked */
  step(error, isBlocked) {
    const change = this.before === null ? 0 : error - this.before;
    const total = this.sum + error;
    this.before = error;
    if (Math.abs(error) <= 0.1 && !isBlocked) this.sum = total;
    return Math.min(Math.max(0.7 * error + 0.01 * total + 0.05 * change, -0.7), 0.7);
  }
}

/**
 * @param {number[]} rungs
 * @param {number[]} windows
 * @returns {Level[]} from the cheapest to the dearest
 */
function buildLevels(rungs, windows) {
  const sides = [...new Set(rungs)].sort((a, b) => a - b);
  const whole = windows.length ? windows[windows.length - 1] : WINDOW_MAX;
  const full = sides.map((rung) => ({ rung, window: whole, scale: rung / sides[sides.length - 1] }));
  const shrunk = windows.slice(0, -1).map((window) => (
    { rung: sides[0], window, scale: full[0].scale * (1 - WINDOW_STEP * (whole - window)) }));
  return [...shrunk, ...full];
}
