// What a frame takes at every level, learned from those that ran: runtimes/controller/time_model.py.

import { Belief } from "./belief.js";

const EXPONENT = 1.8;
const EXPONENT_STD = 0.5;
const DEVIATION_STD = 0.1;
const DEVIATION_REACH = 0.2;
const LOAD_STD = 10;
const DRIFT_STD = 0.003;
const MEDIAN_FRAMES = 5;
const FIRST_FRAMES = 3;
const JUMP_SIGMAS = 3.5;
const NOISE_START = 0.05;
const NOISE_MIN = 0.015;
const NOISE_GAIN = 0.04;
const NOISE_CLIP = 3;
const MEDIAN_NOISE = 0.6;
const DEVIATION_TO_STD = 1.5;
const LESSON_FRAMES = 600;

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/**
 * The last of ascending numbers that is not above a value; -1 if there is none.
 * @param {number[]} ascending
 * @param {number} value
 */
export const lastAtMost = (ascending, value) => ascending.findLastIndex((each) => each <= value);

export class TimeModel {
  /** @param {number[]} scales the levels, ascending */
  constructor(scales) {
    this.logScales = scales.map(Math.log);
    this.level = 0;
    this.base = 0;
    /** @type {number[]} */
    this.recent = [];
    /** @type {Set<number>} */
    this.visited = new Set();
    this.noise = NOISE_START;
    this.ageFrames = 0;
    this.belief = this.#firstGuess(0, LOAD_STD ** 2);
  }

  /** Whether enough frames have run to speak about any level. */
  get isStarted() {
    return this.visited.size > 0;
  }

  /** Whether enough frames have run at the present level to speak about it. */
  get isReady() {
    return this.recent.length >= FIRST_FRAMES;
  }

  /**
   * Learn from one frame.
   * @param {number} level
   * @param {number} latencyMs
   */
  observe(level, latencyMs) {
    if (level !== this.level) {
      this.level = level;
      this.recent = [];
    }
    this.recent = [...this.recent.slice(1 - MEDIAN_FRAMES), Math.log(latencyMs)];
    if (!this.isReady) return;
    this.#forgetLessons();
    this.#learn();
    this.visited.add(level);
    this.base = level;
  }

  /**
   * The log of the milliseconds at a scale within the levels.
   * @param {number} scale
   */
  logTime(scale) {
    const x = Math.log(scale);
    const below = lastAtMost(this.logScales, x);
    if (below === this.logScales.length - 1) return this.#hopeful(below);
    const low = this.logScales[below], high = this.logScales[below + 1];
    const share = (x - low) / (high - low);
    return (1 - share) * this.#hopeful(below) + share * this.#hopeful(below + 1);
  }

  /**
   * The largest scale at which a frame takes `exp(step)` of its time at `scale`.
   * @param {number} scale
   * @param {number} step
   */
  move(scale, step) {
    const target = this.logTime(scale) + step;
    /** @type {[number, number] | null} */
    let above = null;
    for (let level = this.logScales.length - 1; level >= 0; level--) {
      const time = this.#hopeful(level);
      let x = this.logScales[level];
      if (time <= target) {
        if (above) x += (above[1] - x) * (target - time) / (above[0] - time);
        return Math.exp(x);
      }
      above = [time, x];
    }
    return Math.exp(this.logScales[0]);
  }

  /** A level's log time, a deviation low if it has never run. @param {number} level */
  #hopeful(level) {
    const time = this.belief.mean[level];
    return this.visited.has(level) ? time : time - this.belief.deviationBetween(level, this.base);
  }

  #learn() {
    const { level, belief } = this;
    const measured = median(this.recent);
    const deviation = DEVIATION_TO_STD * Math.abs(this.recent[this.recent.length - 1] - measured);
    const clipped = Math.min(deviation, NOISE_CLIP * this.noise);
    this.noise = Math.max(this.noise + NOISE_GAIN * (clipped - this.noise), NOISE_MIN);
    belief.loosenAll(DRIFT_STD ** 2);
    const surprise = measured - belief.mean[level];
    const expected = Math.hypot(Math.sqrt(belief.variance(level)), MEDIAN_NOISE * this.noise);
    if (Math.abs(surprise) > JUMP_SIGMAS * expected) {
      if (this.recent.length > FIRST_FRAMES) {
        belief.loosenAll(surprise ** 2); // the level is the same, so the load has jumped
      } else {
        // The level is new: blame it for what its neighbours cannot share.
        belief.measure(level, measured, this.noise ** 2);
        belief.loosen(level, surprise ** 2);
      }
    }
    belief.measure(level, measured, this.noise ** 2);
  }

  #forgetLessons() {
    this.ageFrames++;
    if (this.ageFrames <= LESSON_FRAMES) return;
    this.ageFrames = 0;
    this.visited.clear();
    this.belief = this.#firstGuess(this.belief.mean[this.level], this.belief.variance(this.level));
  }

  /** @param {number} logTime @param {number} variance */
  #firstGuess(logTime, variance) {
    const xs = this.logScales;
    const mean = xs.map((x) => logTime + EXPONENT * (x - xs[this.level]));
    const belief = new Belief(mean, xs.map((a) => xs.map((b) => covariance(a, b))));
    belief.measure(this.level, logTime, variance);
    return belief;
  }
}

/** @param {number} a @param {number} b */
function covariance(a, b) {
  const deviation = DEVIATION_STD ** 2 * Math.exp(-Math.abs(a - b) / DEVIATION_REACH);
  return LOAD_STD ** 2 + EXPONENT_STD ** 2 * a * b + deviation;
}
