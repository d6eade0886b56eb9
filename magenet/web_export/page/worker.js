// Enhances photographs, beside the page, which stays responsive: messages in, messages out.
//
// In:  { run, enhance: File }      enhance a photograph, the run-th
//      { run, strength: 0 to 1 }   apply another share of its change
// Out, with the run that it is of, if it is of one:
//      { ready: settings }
//      { step, of, text }          progress
//      { photograph, field, ... }  what was found
//      { result: ImageData, strength }
//      { failed: text }

import * as ort from "./onnxruntime-web/ort.wasm.bundle.min.js";
import { crop, transferred } from "./crop.js";
import { estimateField } from "./field_of_view.js";

// Threads need a page that is isolated from others (headers COOP and COEP); a static host sends none.
ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(8, navigator.hardwareConcurrency) : 1;
ort.env.logLevel = "error";

let settings, graphs, last;

/** Something that the person at the page can mend. */
class Told extends Error {}

async function start() {
  const answer = await fetch(new URL("settings.json", import.meta.url));
  settings = await answer.json();
  graphs = {};
  for (const name of ["shown", "network", "change"]) {
    graphs[name] = await ort.InferenceSession.create(new URL(`${name}.onnx`, import.meta.url).href);
  }
}

/** Return the pixels of a picture, RGBA, turned as its EXIF says, its colours not converted. */
async function readPixels(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new Told(`${file.name}: is no picture that this browser can read (JPEG, PNG, WebP, BMP).`);
  }
  const { width, height } = bitmap;
  if (Math.min(width, height) < settings.minimum_side) {
    throw new Told(`${file.name}: is ${width}x${height} px; a photograph needs at least ${settings.minimum_side}x${settings.minimum_side}.`);
  }
  if (Math.max(width, height) > settings.most_elongated * Math.min(width, height)) {
    throw new Told(`${file.name}: is ${width}x${height} px: too long for its width to be a photograph of an eye.`);
  }
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}

/** Raise if the browser falsifies what is read from a canvas, to hide its fingerprint. */
function requireTrueCanvas() {
  const pattern = new ImageData(16, 16);
  pattern.data.forEach((_, i) => { pattern.data[i] = i % 4 === 3 ? 255 : (i * 37) % 256; });
  const context = new OffscreenCanvas(16, 16).getContext("2d", { willReadFrequently: true });
  context.putImageData(pattern, 0, 0);
  const read = context.getImageData(0, 0, 16, 16).data;
  if (read.some((value, i) => value !== pattern.data[i])) {
    throw new Told("This browser changes the pixels that a page reads (protection from fingerprinting): switch that off for this page, or use another browser.");
  }
}

async function enhance(file, run) {
  last = undefined;
  const begun = performance.now();
  let steps = 0, of = 5;
  // A step is told before it is made, so that the page can show it meanwhile.
  const tell = (text) => postMessage({ run, step: steps++, of, text });
  tell("Reading the photograph");
  requireTrueCanvas();
  const { data: pixels, width, height } = await readPixels(file);
  tell("Looking for the field of view");
  const field = estimateField(pixels, width, height, settings.draws);
  if (field.confidence === 0) throw new Told(`${file.name}: no field of view was found: not a fundus photograph?`);

  const { side } = field.square;
  const { views, inside } = await graphs.shown.run({
    square: new ort.Tensor("uint8", crop(pixels, width, height, 4, field.square), [side, side, 4]),
    mask: new ort.Tensor("bool", crop(field.mask, width, height, 1, field.square), [side, side]),
  });
  const [count, , small] = views.dims;
  of = 4 + count;
  const length = 3 * small * small, given = [];
  for (let i = 0; i < count; i++) {
    tell(count > 1 ? `Enhancing, view ${i + 1} of ${count}` : "Enhancing");
    const view = new ort.Tensor("float32", views.data.subarray(i * length, (i + 1) * length), [1, 3, small, small]);
    given.push(await graphs.network.run({ view }));
  }
  tell("Combining");
  const told = Object.fromEntries(graphs.network.outputNames.map((name) => [name, stacked(given.map((outputs) => outputs[name]))]));
  const seen = new ort.Tensor("float32", views.data.subarray(0, length), [1, 3, small, small]);
  const outcome = await graphs.change.run({ ...told, seen, inside });
  tell("Transferring to the photograph's own resolution");
  last = { run, pixels, width, height, field, change: outcome.change.data, side: small };
  const error = outcome.expected_error?.data;
  const area = inside.data.reduce((total, value) => total + value, 0);
  postMessage({
    run,
    photograph: new ImageData(pixels, width, height),
    square: field.square,
    confidence: field.confidence,
    light_share: outcome.light_share.data[0],
    error,
    error_side: small,
    expected_error: error && 255 * error.reduce((total, value) => total + value, 0) / area,
    seconds: (performance.now() - begun) / 1000,
  });
}

/** Return tensors of one photograph as one of several. */
function stacked(tensors) {
  const data = new Float32Array(tensors.length * tensors[0].data.length);
  tensors.forEach((tensor, i) => data.set(tensor.data, i * tensor.data.length));
  return new ort.Tensor("float32", data, [tensors.length, ...tensors[0].dims.slice(1)]);
}

function apply(strength) {
  const { run, pixels, width, height, field, change, side } = last;
  const data = transferred(pixels, width, height, field, change, side, strength);
  postMessage({ run, result: new ImageData(data, width, height), strength }, [data.buffer]);
}

const started = start().then(
  () => postMessage({ ready: settings }),
  (error) => { postMessage({ failed: `The network could not be loaded (${error.message ?? error}). Load the page again.` }); throw error; },
);

onmessage = async ({ data }) => {
  try {
    await started;
    if (data.enhance) await enhance(data.enhance, data.run);
    else if (last?.run === data.run) apply(data.strength);
  } catch (error) {
    const text = error instanceof Told ? error.message : `The photograph could not be enhanced (${error.message ?? error}). A large one may need more memory than the browser has.`;
    postMessage({ run: data.run, failed: text });
  }
};
