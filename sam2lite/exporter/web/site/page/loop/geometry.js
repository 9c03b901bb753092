// From a picture to the network's input and from its logits back: sam2lite/runtimes/geometry.py.

const WEIGHT_ONE = 256; // of bytes that are resized

/**
 * Where one axis of the target looks in the source: pixel centres, edges repeated.
 * @param {number} from length of the source, px
 * @param {number} to length of the target, px
 */
function taps(from, to) {
  const low = new Int32Array(to), high = new Int32Array(to), share = new Float64Array(to);
  for (let i = 0; i < to; i++) {
    const position = Math.fround((i + 0.5) * (1 / (to / from)) - 0.5); // rounded as OpenCV does
    const floored = Math.floor(position);
    low[i] = Math.max(floored, 0);
    high[i] = Math.min(floored + 1, from - 1);
    share[i] = floored < 0 || floored + 1 > from - 1 ? 0 : position - floored;
  }
  return { low, high, share };
}

/**
 * Resize numbers bilinearly.
 * @param {Float32Array} image [height, width]
 * @param {number} width
 * @param {number} height
 * @param {number} toWidth
 * @param {number} toHeight
 */
export function resized(image, width, height, toWidth, toHeight) {
  if (width === toWidth && height === toHeight) return image;
  const result = new Float32Array(toWidth * toHeight);
  eachRow(image, width, height, toWidth, toHeight, (y, above, below, share) => {
    for (let x = 0, at = y * toWidth; x < toWidth; x++, at++) {
      result[at] = above[x] + share * (below[x] - above[x]);
    }
  });
  return result;
}

/**
 * Cut logits at a threshold, in pixels of the picture: 1 inside, 0 outside.
 * @param {Float32Array} logits [side, side]
 * @param {number} side
 * @param {number} width of the picture, px
 * @param {number} height of the picture, px
 * @param {number} threshold logits above it are the object's
 */
export function sourceMask(logits, side, width, height, threshold) {
  const mask = new Uint8Array(width * height);
  eachRow(logits, side, side, width, height, (y, above, below, share) => {
    for (let x = 0, at = y * width; x < width; x++, at++) {
      if (above[x] + share * (below[x] - above[x]) > threshold) mask[at] = 1;
    }
  });
  return mask;
}

/**
 * Give each row of the target as the two source rows that it lies between, resized across.
 * @param {Float32Array} image
 * @param {number} width
 * @param {number} height
 * @param {number} toWidth
 * @param {number} toHeight
 * @param {(y: number, above: Float32Array, below: Float32Array, share: number) => void} take
 */
function eachRow(image, width, height, toWidth, toHeight, take) {
  const across = taps(width, toWidth), down = taps(height, toHeight);
  let above = new Float32Array(toWidth), below = new Float32Array(toWidth);
  let aboveIs = -1, belowIs = -1;
  /** @param {Float32Array} into @param {number} y */
  const stretch = (into, y) => {
    for (let x = 0, start = y * width; x < toWidth; x++) {
      const left = image[start + across.low[x]];
      into[x] = left + across.share[x] * (image[start + across.high[x]] - left);
    }
  };
  for (let y = 0; y < toHeight; y++) {
    const low = down.low[y], high = down.high[y];
    if (low !== aboveIs) {
      if (low === belowIs) [above, below, aboveIs, belowIs] = [below, above, belowIs, aboveIs];
      else stretch(above, low);
      aboveIs = low;
    }
    if (high !== belowIs) {
      stretch(below, high);
      belowIs = high;
    }
    take(y, above, below, down.share[y]);
  }
}

/**
 * @typedef {{ data: Uint8ClampedArray | Uint8Array, width: number, height: number }} Picture
 *   RGBA, row by row
 */

/**
 * Stretch a picture to the network's square: uint8 [3, side, side], red, green, blue.
 *
 * An axis that is at least twice too long is halved until it is not; the rest is bilinear.
 * @param {Picture} picture
 * @param {number} side px
 */
export function networkInput(picture, side) {
  let image = picture;
  while (image.width >= 2 * side || image.height >= 2 * side) {
    const width = image.width >= 2 * side ? image.width >> 1 : image.width;
    const height = image.height >= 2 * side ? image.height >> 1 : image.height;
    image = shrunk(image, width, height);
  }
  if (image.width !== side || image.height !== side) image = shrunk(image, side, side);
  const planes = new Uint8Array(3 * side * side);
  for (let at = 0, pixels = side * side; at < pixels; at++) {
    planes[at] = image.data[4 * at];
    planes[pixels + at] = image.data[4 * at + 1];
    planes[2 * pixels + at] = image.data[4 * at + 2];
  }
  return planes;
}

/**
 * Resize RGBA in whole numbers: sam2lite/runtimes/resampling/exact_linear.py.
 * @param {Picture} picture
 * @param {number} width
 * @param {number} height
 * @returns {Picture}
 */
function shrunk({ data, width: from, height: fromHeight }, width, height) {
  const result = new Uint8Array(4 * width * height);
  const across = weighted(from, width), down = weighted(fromHeight, height);
  for (let y = 0, at = 0; y < height; y++) {
    const lower = down.weight[y], upper = WEIGHT_ONE - lower;
    const top = 4 * from * down.low[y], bottom = 4 * from * down.high[y];
    for (let x = 0; x < width; x++) {
      const right = across.weight[x], left = WEIGHT_ONE - right;
      const low = 4 * across.low[x], high = 4 * across.high[x];
      for (let c = 0; c < 4; c++, at++) {
        const above = left * data[top + low + c] + right * data[top + high + c];
        const below = left * data[bottom + low + c] + right * data[bottom + high + c];
        result[at] = (upper * above + lower * below + WEIGHT_ONE * WEIGHT_ONE / 2) >> 16;
      }
    }
  }
  return { data: result, width, height };
}

/**
 * Where one axis of the target looks in the source, and the weight of the second pixel in 256ths.
 * @param {number} from length of the source, px
 * @param {number} to length of the target, px
 */
function weighted(from, to) {
  const low = new Int32Array(to), high = new Int32Array(to), weight = new Int32Array(to);
  for (let i = 0; i < to; i++) {
    const position = (1 / (to / from)) * (i + 0.5) - 0.5;
    const floored = Math.floor(position);
    low[i] = Math.min(Math.max(floored, 0), from - 1);
    high[i] = Math.min(low[i] + 1, from - 1);
    weight[i] = floored < 0 || floored >= from - 1 ? 0 : toEven(WEIGHT_ONE * (position - floored));
  }
  return { low, high, weight };
}

/** Round, halves to the even number. @param {number} value */
function toEven(value) {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}
