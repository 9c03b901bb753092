// A Gaussian vector that is measured one component at a time: runtimes/controller/belief.py.

export class Belief {
  /**
   * @param {number[]} mean first guess
   * @param {number[][]} covariance its uncertainty, symmetric
   */
  constructor(mean, covariance) {
    this.mean = mean;
    this.covariance = covariance;
  }

  /** @param {number} index */
  variance(index) {
    return this.covariance[index][index];
  }

  /**
   * Standard deviation of the difference of two components.
   * @param {number} a
   * @param {number} b
   */
  deviationBetween(a, b) {
    const rows = this.covariance;
    return Math.sqrt(Math.max(rows[a][a] + rows[b][b] - 2 * rows[a][b], 0));
  }

  /**
   * Take in a measurement of one component.
   * @param {number} index
   * @param {number} value
   * @param {number} variance
   */
  measure(index, value, variance) {
    const row = this.covariance[index];
    const gains = row.map((entry) => entry / (row[index] + variance));
    const surprise = value - this.mean[index];
    this.mean = this.mean.map((mean, i) => mean + gains[i] * surprise);
    this.covariance = this.covariance.map((line, i) => line.map((entry, j) => entry - gains[i] * row[j]));
  }

  /**
   * Let one component have moved by itself.
   * @param {number} index
   * @param {number} variance
   */
  loosen(index, variance) {
    this.covariance[index][index] += variance;
  }

  /**
   * Let all components have moved together.
   * @param {number} variance
   */
  loosenAll(variance) {
    this.covariance = this.covariance.map((line) => line.map((entry) => entry + variance));
  }
}
