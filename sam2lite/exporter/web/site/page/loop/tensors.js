// What graphs take and give: plain arrays with their shapes.

/**
 * @typedef {"float32" | "int32" | "uint8"} Type
 * @typedef {{ type: Type, data: Float32Array | Int32Array | Uint8Array, dims: readonly number[] }} Tensor
 * @typedef {Record<string, Tensor>} Tensors
 */

/**
 * A tensor of numbers.
 * @param {Float32Array} data
 * @param {readonly number[]} dims
 * @returns {Tensor}
 */
export const floats = (data, dims) => ({ type: "float32", data, dims });

/**
 * The numbers of a tensor of float32.
 * @param {Tensor} tensor
 * @returns {Float32Array}
 */
export function numbers(tensor) {
  if (!(tensor.data instanceof Float32Array)) throw new Error(`a graph gave ${tensor.type}, not float32`);
  return tensor.data;
}

/**
 * Whether all numbers of an array are finite.
 * @param {Float32Array} values
 */
export const isFinite32 = (values) => values.every(Number.isFinite);

/**
 * A row of the second axis of a tensor whose first has one entry.
 * @param {Tensor} tensor
 * @param {number} index
 */
export function row(tensor, index) {
  const length = tensor.data.length / tensor.dims[1];
  return numbers(tensor).slice(index * length, (index + 1) * length);
}
