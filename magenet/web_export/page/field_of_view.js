// Field of view of a photograph, as magenet/imaging/field_of_view.py estimates it: the same steps in
// the same order, and rounded to floats where the result could depend on it. The docstrings there
// say why.

const WORKING_SIDE = 320;
const MINIMUM_FIELD = 0.05;
const WHITE = 240;
const f32 = Math.fround;

/**
 * Estimate the field of view.
 * pixels: RGBA, row by row. draws: random 32-bit numbers, three for each circle that is tried.
 * Returns the mask (1 inside), the square around it and the confidence, 0 to 1.
 */
export function estimateField(pixels, width, height, draws) {
  const scale = Math.min(1, WORKING_SIDE / Math.max(height, width));
  const h = Math.max(1, round(height * scale)), w = Math.max(1, round(width * scale));
  const level = brightestChannel(reducedByArea(pixels, width, height, w, h), w, h);
  const bright = brighterThanSurround(level, w, h);
  const whole = (confidence) => withSquare(new Uint8Array(width * height).fill(1), width, height, confidence);
  const share = sum(bright) / bright.length;
  if (share < MINIMUM_FIELD) return whole(0);
  const points = edgePoints(bright, w, h);
  if (points.length < 0.1 * (w + h)) return whole(share > 0.9 ? 0.6 : 0);
  const fitted = fitCircle(points, w, h, draws);
  if (!fitted) return whole(0);

  const circle = steepest(level, fitted.circle, w, h);
  const [top, bottom] = straightEdges(bright, circle, w, h);
  const [left, right] = straightEdges(transposed(bright, w, h), [circle[1], circle[0], circle[2]], h, w);
  // Points on a straight edge say nothing about the circle.
  const roundPart = fitted.points.filter(({ at: [y, x] }) =>
    y >= top + 2 && y < bottom - 2 && x >= left + 2 && x < right - 2);
  const agreement = roundPart.filter(({ inlier }) => inlier).length / Math.max(1, roundPart.length);
  const small = part(disc(circle, w, h), w, [top, bottom], [left, right]);
  let both = 0, either = 0;
  for (let i = 0; i < small.length; i++) { both += small[i] & bright[i]; either += small[i] | bright[i]; }
  const confidence = Math.max(0, Math.min(1, 0.7 * agreement + 0.3 * both / Math.max(1, either)));
  const [y, x, radius] = circle.map((value) => value / scale);
  const mask = part(disc([y + 0.5 / scale - 0.5, x + 0.5 / scale - 0.5, radius], width, height), width,
    [top, bottom].map((row) => round(row / scale)), [left, right].map((column) => round(column / scale)));
  return mask.includes(1) ? withSquare(mask, width, height, confidence) : whole(0);
}

/** Round to the nearest integer, halves to the even one, as Python does. */
function round(value) {
  const below = Math.floor(value), rest = value - below;
  return rest < 0.5 || (rest === 0.5 && below % 2 === 0) ? below : below + 1;
}

function sum(values) {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** Return the field of a mask, with the square around it. */
function withSquare(mask, width, height, confidence) {
  let top = height, bottom = 0, left = width, right = 0;
  for (let y = 0; y < height; y++) {
    const row = mask.subarray(y * width, (y + 1) * width);
    const first = row.indexOf(1);
    if (first < 0) continue;
    top = Math.min(top, y);
    bottom = y + 1;
    left = Math.min(left, first);
    right = Math.max(right, row.lastIndexOf(1) + 1);
  }
  const side = Math.max(bottom - top, right - left);
  const square = { top: Math.floor((top + bottom - side) / 2), left: Math.floor((left + right - side) / 2), side };
  return { mask, square, confidence };
}

/** Return the three colours averaged over areas, one after the other. */
function reducedByArea(pixels, width, height, w, h) {
  const planes = [0, 1, 2].map(() => new Float32Array(w * h));
  for (let i = 0; i < h; i++) {
    const top = Math.floor(i * height / h), bottom = Math.ceil((i + 1) * height / h);
    for (let j = 0; j < w; j++) {
      const left = Math.floor(j * width / w), right = Math.ceil((j + 1) * width / w);
      let red = 0, green = 0, blue = 0;
      for (let y = top; y < bottom; y++) {
        for (let at = 4 * (y * width + left), end = 4 * (y * width + right); at < end; at += 4) {
          red += pixels[at];
          green += pixels[at + 1];
          blue += pixels[at + 2];
        }
      }
      const area = (bottom - top) * (right - left);
      planes[0][i * w + j] = red / area;
      planes[1][i * w + j] = green / area;
      planes[2][i * w + j] = blue / area;
    }
  }
  return planes;
}

/** Return the greatest channel; a white surround or border counts as 0. */
function brightestChannel([red, green, blue], w, h) {
  const white = (i) => Math.min(red[i], green[i], blue[i]) > WHITE;
  const surround = [0, w - 1, (h - 1) * w, h * w - 1].every(white);
  return red.map((value, i) => (surround && white(i) ? 0 : Math.max(value, green[i], blue[i])));
}

/** Return the mask of what is brighter than the surround, speckles removed. */
function brighterThanSurround(level, w, h) {
  const corner = Math.max(2, Math.floor(Math.min(h, w) / 24));
  const medians = [[0, 0], [0, w - corner], [h - corner, 0], [h - corner, w - corner]].map(([top, left]) => {
    const patch = [];
    for (let y = Math.max(0, top); y < Math.min(h, top + corner); y++) {
      for (let x = Math.max(0, left); x < Math.min(w, left + corner); x++) patch.push(level[y * w + x]);
    }
    return patch.sort((a, b) => a - b)[Math.floor((patch.length - 1) / 2)];
  }).sort((a, b) => a - b);
  const surround = f32(f32(medians[0] + medians[1]) / 2);
  const brightest = quantile(level, 0.95);
  if (surround > 0.5 * brightest) {
    const mean = sum(level) / level.length;
    const squares = level.reduce((total, value) => total + (value - mean) ** 2, 0);
    return new Uint8Array(w * h).fill(Math.sqrt(squares / (level.length - 1)) > 2 ? 1 : 0);
  }
  const threshold = f32(surround + Math.max(6, 0.15 * (brightest - surround)));
  const bright = new Uint8Array(w * h);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      let above = 0, area = 0;
      for (let v = Math.max(0, y - 2); v <= Math.min(h - 1, y + 2); v++) {
        for (let u = Math.max(0, x - 2); u <= Math.min(w - 1, x + 2); u++) {
          above += level[v * w + u] > threshold;
          area++;
        }
      }
      bright[y * w + x] = 2 * above > area;
    }
  }
  return bright;
}

/** Return a quantile, linearly interpolated. */
function quantile(values, share) {
  const sorted = values.slice().sort();
  const rank = f32(f32(share) * (sorted.length - 1)), below = Math.floor(rank);
  const above = Math.min(below + 1, sorted.length - 1);
  return f32(sorted[below] + f32(rank - below) * (sorted[above] - sorted[below]));
}

/** Return the outermost bright pixels of rows and columns, [y, x], not at the frame. */
function edgePoints(bright, w, h) {
  const first = { rows: [], columns: [] }, last = { rows: [], columns: [] };
  for (let y = 0; y < h; y++) {
    const row = bright.subarray(y * w, (y + 1) * w);
    if (!row.includes(1)) continue;
    first.rows.push([y, row.indexOf(1)]);
    last.rows.push([y, row.lastIndexOf(1)]);
  }
  for (let x = 0; x < w; x++) {
    let top = 0, bottom = h - 1;
    while (top < h && !bright[top * w + x]) top++;
    if (top === h) continue;
    while (!bright[bottom * w + x]) bottom--;
    first.columns.push([top, x]);
    last.columns.push([bottom, x]);
  }
  return [first.rows, last.rows, first.columns, last.columns].flat()
    .filter(([y, x]) => y > 1 && y < h - 2 && x > 1 && x < w - 2);
}

/** Return the circle [y, x, radius] with most inliers (RANSAC), and which points they are; null without one. */
function fitCircle(points, w, h, draws) {
  const short = Math.min(h, w), long = Math.max(h, w), tolerance = f32(0.008 * long);
  let best = null, most = -1;
  for (let i = 0; i < draws.length; i += 3) {
    const [first, second, third] = [0, 1, 2].map((k) => points[draws[i + k] % points.length]);
    const circle = throughPoints(first, second, third);
    if (!circle || !(circle[2] > 0.25 * short && circle[2] < 0.8 * long)) continue;
    const count = points.filter((point) => distance(point, circle) < tolerance).length;
    if (count > most) [best, most] = [circle, count];
  }
  if (!best) return null;
  let inliers = points.filter((point) => distance(point, best) < tolerance);
  for (let repetition = 0; repetition < 3; repetition++) {
    const circle = best = leastSquares(inliers);
    inliers = points.filter((point) => distance(point, circle) < tolerance);
    if (inliers.length < 8) return null;
  }
  return { circle: best, points: points.map((at) => ({ at, inlier: distance(at, best) < tolerance })) };
}

/** Return how far a point is from a circle. */
function distance([v, u], [y, x, radius]) {
  const down = v - y, across = u - x;
  return f32(Math.abs(f32(Math.sqrt(down * down + across * across)) - radius)); // not hypot: it is slow
}

/** Return the circle through three points; null if they are nearly on a line. */
function throughPoints([y, x], [y1, x1], [y2, x2]) {
  const [a, b, c, d] = [2 * (y1 - y), 2 * (x1 - x), 2 * (y2 - y), 2 * (x2 - x)];
  const determinant = a * d - b * c;
  if (Math.abs(determinant) <= 1) return null;
  const right1 = y1 * y1 + x1 * x1 - y * y - x * x, right2 = y2 * y2 + x2 * x2 - y * y - x * x;
  const centre = [f32((right1 * d - b * right2) / determinant), f32((a * right2 - c * right1) / determinant)];
  return [...centre, f32(Math.hypot(centre[0] - y, centre[1] - x))];
}

/** Return the circle of least squares: y^2 + x^2 = 2 y b + 2 x a + c, about the points' mean. */
function leastSquares(points) {
  const n = points.length, meanY = sum(points.map((p) => p[0])) / n, meanX = sum(points.map((p) => p[1])) / n;
  let yy = 0, xx = 0, yx = 0, yr = 0, xr = 0, r = 0;
  for (const point of points) {
    const y = point[0] - meanY, x = point[1] - meanX, squared = y * y + x * x;
    yy += y * y; xx += x * x; yx += y * x; yr += y * squared; xr += x * squared; r += squared;
  }
  const determinant = 2 * (yy * xx - yx * yx);
  const y = (yr * xx - xr * yx) / determinant, x = (xr * yy - yr * yx) / determinant;
  return [y + meanY, x + meanX, Math.sqrt(Math.max(1, r / n + y * y + x * x))];
}

/** Return the circle with the radius, within 6 %, at which brightness falls fastest. */
function steepest(level, [y, x, radius], w, h) {
  const steps = Array.from({ length: Math.ceil((1.04 - 0.94) / 0.005) }, (_, i) => f32(0.94 + i * 0.005));
  const ends = steps.map((step) => f32(step + 0.01));
  const totals = steps.map(() => 0), areas = steps.map(() => 0);
  for (let row = 0; row < h; row++) {
    for (let column = 0; column < w; column++) {
      const far = relativeDistance(row, column, y, x, radius);
      if (far < steps[0] || far >= ends.at(-1)) continue;
      for (let i = 0; i < steps.length; i++) {
        if (far >= steps[i] && far < ends[i]) { totals[i] += level[row * w + column]; areas[i]++; }
      }
    }
  }
  if (areas.includes(0)) return [y, x, radius];
  const profile = totals.map((total, i) => f32(total / areas[i]));
  let best = 0;
  const fall = (i) => f32(profile[i] - profile[i + 2]);
  for (let i = 1; i + 2 < profile.length; i++) if (fall(i) > fall(best)) best = i;
  return [y, x, radius * ends[best]];
}

/** Return the distance from a centre in radii, in the precision of floats. */
function relativeDistance(row, column, y, x, radius) {
  return f32(f32(Math.sqrt(squaredDistance(row, column, y, x))) / f32(radius));
}

function squaredDistance(row, column, y, x) {
  const down = f32(row - f32(y)), across = f32(column - f32(x));
  return f32(f32(down * down) + f32(across * across));
}

/** Return the first row of the field and the one after its last. */
function straightEdges(bright, [y, x, radius], w, h) {
  const lit = [];
  let first = w, last = -1; // columns where the chord is clipped, too
  for (let row = 0; row < h; row++) {
    const chord = bright.subarray(row * w, (row + 1) * w);
    if (!chord.includes(1)) continue;
    lit.push(row);
    first = Math.min(first, chord.indexOf(1));
    last = Math.max(last, chord.lastIndexOf(1));
  }
  const edges = [0, h];
  for (const [end, row, outward] of [[0, lit[0], -1], [1, lit.at(-1), 1]]) {
    const inner = row - 2 * outward;
    const halfChord = Math.sqrt(radius ** 2 - Math.min(Math.abs(inner - y), radius) ** 2);
    const left = Math.max(first, round(x - halfChord)), right = Math.min(last + 1, round(x + halfChord));
    const chord = bright.subarray(inner * w + left, inner * w + right);
    if (right - left > 0.3 * 2 * radius && sum(chord) / chord.length > 0.9) {
      edges[end] = outward < 0 ? row : row + 1;
    }
  }
  return edges;
}

function transposed(mask, w, h) {
  const turned = new Uint8Array(w * h);
  for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) turned[x * h + y] = mask[y * w + x];
  return turned;
}

/** Return the part of a mask from the first row and column to before the last ones; the mask itself is changed. */
function part(mask, w, [top, bottom], [left, right]) {
  const h = mask.length / w;
  for (let y = 0; y < h; y++) {
    if (y < top || y >= bottom) mask.fill(0, y * w, (y + 1) * w);
    else mask.fill(0, y * w, y * w + Math.max(0, left)).fill(0, y * w + Math.min(w, right), (y + 1) * w);
  }
  return mask;
}

/** Return a disc, 1 inside, clipped to the frame. */
function disc([y, x, radius], w, h) {
  const mask = new Uint8Array(w * h), squaredRadius = f32(radius * radius);
  for (let row = 0; row < h; row++) {
    for (let column = 0; column < w; column++) {
      if (squaredDistance(row, column, y, x) <= squaredRadius) mask[row * w + column] = 1;
    }
  }
  return mask;
}
