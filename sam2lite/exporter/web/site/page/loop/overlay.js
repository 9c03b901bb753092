// Masks over a picture: see-through inside, solid along their edge.

const FILL = 0.45;

// Okabe and Ito's colours, which colour-blind viewers tell apart too; as in `sam2lite track`.
const PALETTE = [
  [86, 180, 233], [230, 159, 0], [0, 158, 115], [240, 228, 66], [204, 121, 167], [213, 94, 0], [0, 114, 178],
];

/**
 * The colour of an object: red, green, blue.
 * @param {number} id
 */
export const colourOf = (id) => PALETTE[(id - 1) % PALETTE.length];

/**
 * Paint a mask into pixels.
 * @param {Uint8ClampedArray} pixels RGBA
 * @param {number} width
 * @param {number} height
 * @param {Uint8Array} mask
 * @param {number} id of the object
 */
export function paint(pixels, width, height, mask, id) {
  const colour = colourOf(id);
  const thick = Math.max(1, Math.round(width / 400));
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      if (!mask[at]) continue;
      const within = x >= thick && x < width - thick && y >= thick && y < height - thick
        && mask[at - thick] && mask[at + thick] && mask[at - thick * width] && mask[at + thick * width];
      const share = within ? FILL : 1;
      for (let c = 0; c < 3; c++) {
        const place = 4 * at + c;
        pixels[place] += share * (colour[c] - pixels[place]);
      }
    }
  }
}
