// Crop of the square around the field of view, as magenet/imaging/crop.py has it, and transfer of a
// change to the photograph at its own size, as magenet/imaging/transfer.py has it.

/**
 * Return the square of a picture, 0 where it reaches beyond the frame.
 * picture: values, row by row. channels: values of each pixel.
 */
export function crop(picture, width, height, channels, square) {
  const part = new Uint8Array(square.side * square.side * channels);
  const left = Math.max(square.left, 0), right = Math.min(square.left + square.side, width);
  for (let y = Math.max(square.top, 0); y < Math.min(square.top + square.side, height); y++) {
    const row = picture.subarray((y * width + left) * channels, (y * width + right) * channels);
    part.set(row, ((y - square.top) * square.side + left - square.left) * channels);
  }
  return part;
}

/**
 * Return the photograph plus a share of the upsampled change, bit for bit as it was outside the field.
 * pixels: RGBA, row by row. change: three planes of side x side, to be added, in [-1, 1].
 */
export function transferred(pixels, width, height, field, change, side, strength) {
  const { mask, square } = field;
  const result = new Uint8ClampedArray(pixels);
  const columns = neighbours(Math.max(square.left, 0) - square.left, Math.min(square.side, width - square.left), side, square.side);
  const rows = neighbours(Math.max(square.top, 0) - square.top, Math.min(square.side, height - square.top), side, square.side);
  const area = side * side, factor = 255 * strength;
  const strip = new Float32Array(side);
  for (let i = 0; i < rows.count; i++) {
    const start = (square.top + rows.first + i) * width + square.left + columns.first;
    for (let colour = 0; colour < 3; colour++) {
      const upper = colour * area + rows.before[i] * side, lower = colour * area + rows.after[i] * side;
      for (let k = 0; k < side; k++) strip[k] = change[upper + k] + rows.weight[i] * (change[lower + k] - change[upper + k]);
      for (let j = 0; j < columns.count; j++) {
        if (!mask[start + j]) continue;
        const left = strip[columns.before[j]], right = strip[columns.after[j]];
        const at = 4 * (start + j) + colour;
        // Clamped and rounded, halves to the even number, by the array.
        result[at] = pixels[at] + factor * (left + columns.weight[j] * (right - left));
      }
    }
  }
  return result;
}

/** Return the two neighbours of each position in a smaller picture, and the weight of the second. */
function neighbours(first, end, side, own) {
  const count = Math.max(0, end - first);
  const before = new Int32Array(count), after = new Int32Array(count), weight = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const source = Math.min(side - 1, Math.max(0, (first + i + 0.5) * (side / own) - 0.5));
    before[i] = Math.floor(source);
    after[i] = Math.min(before[i] + 1, side - 1);
    weight[i] = source - before[i];
  }
  return { first, count, before, after, weight };
}
