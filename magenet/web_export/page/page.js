// What the person at the page sees and does. All work is done by worker.js, beside the page.

const get = (id) => document.getElementById(id);
const file = get("file"), stage = get("stage"), strength = get("strength");

// A worker of a blob has this page's Content-Security-Policy, one of an address would have none.
const address = new URL("worker.js", import.meta.url).href;
const worker = new Worker(URL.createObjectURL(new Blob([`import ${JSON.stringify(address)};`], { type: "text/javascript" })), { type: "module" });

let settings;
let name = "photograph"; // of the file, without its ending
let applying = false; // whether the worker applies a strength at the moment
let run = 0; // number of the photograph; what the worker tells of an earlier one is out of date
let next; // photograph that came while another, or the network, was worked on

get("message").hidden = true;
working(0, 1, "Loading the network");
worker.onerror = () => fail("A part of this page could not be loaded. Load it again.");

worker.onmessage = ({ data }) => {
  if (data.run !== undefined && data.run !== run) return;
  if (data.ready) ready(data.ready);
  else if (data.failed) fail(data.failed);
  else if (data.text) working(data.step, data.of, data.text);
  else if (data.photograph) show(data);
  else if (data.result) draw(data);
};

function ready(told) {
  settings = told;
  get("about").textContent = `magenet ${told.version}, weights ${told.weights_sha256.slice(0, 12)}, ${told.runtime} (Microsoft, MIT licence)`;
  get("scale").hidden = !told.own_scale;
  get("side").textContent = told.side;
  get("greatest-side").textContent = told.greatest_side;
  rest();
}

function working(step, of, text) {
  file.disabled = true;
  get("progress").hidden = false;
  get("progress").querySelector("progress").value = step / of;
  get("step").textContent = text;
}

function rest() {
  file.disabled = false;
  file.value = ""; // the same photograph can be chosen again
  get("progress").hidden = true;
  if (!next) return;
  const photograph = next;
  next = undefined;
  enhance(photograph);
}

function fail(text) {
  applying = false;
  if (!settings) next = undefined;
  rest();
  if (!settings) file.disabled = true;
  get("message").textContent = text;
  get("message").hidden = false;
}

function enhance(photograph) {
  if (!photograph) return;
  if (file.disabled) {
    next = photograph;
    get("step").textContent += `; ${photograph.name} comes next`;
    return;
  }
  name = photograph.name.replace(/\.[^.]*$/, "") || "photograph";
  get("message").hidden = true;
  get("result").hidden = true;
  applying = false;
  working(0, 1, "Reading the photograph");
  worker.postMessage({ run: ++run, enhance: photograph });
}

file.addEventListener("change", () => enhance(file.files[0]));
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault(); // or the browser would leave the page for the photograph
    get("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") enhance(event.dataTransfer.files[0]);
  });
}

function show(told) {
  const { width, height } = told.photograph;
  for (const id of ["before", "after"]) Object.assign(get(id), { width, height });
  context("before").putImageData(told.photograph, 0, 0);
  strength.value = 100;
  stage.dataset.strength = "";
  request();
  drawHeat(told, width, height);

  const facts = { Size: `${width} x ${height} px` };
  if (told.error) facts["Expected error"] = `${told.expected_error.toFixed(1)} of 255 grey levels`;
  facts["Brightness correction applied"] = `${Math.round(100 * told.light_share)} %`;
  facts.Time = `${told.seconds.toFixed(1)} s`;
  get("facts").replaceChildren(...Object.entries(facts).map(([term, text]) => {
    const row = document.createElement("div");
    row.append(element("dt", term), element("dd", text));
    return row;
  }));
  const doubts = [];
  const [check, abstain] = settings.error_limits;
  if (told.expected_error > abstain) doubts.push("The expected error is very large: do not use the result.");
  else if (told.expected_error > check) doubts.push("The expected error is large: look closely before you use the result.");
  if (told.confidence < settings.least_confidence) doubts.push(`The field of view is uncertain (confidence ${(Math.floor(100 * told.confidence) / 100).toFixed(2)}): look at its edge.`);
  get("doubts").replaceChildren(...doubts.map((text) => element("li", text)));
}

/** Return what draws a photograph: opaque, so that it is saved without transparency. */
function context(id) {
  return get(id).getContext("2d", { alpha: false });
}

function element(kind, text) {
  const made = document.createElement(kind);
  made.textContent = text;
  return made;
}

/** Draw the expected error over the square around the field: the stronger, the larger. */
function drawHeat({ error, error_side: side, square }, width, height) {
  get("show-heat").hidden = !error;
  get("overlay").checked = false;
  toggleHeat();
  if (!error) return;
  const worst = settings.error_limits[1], heat = new ImageData(side, side);
  for (let i = 0; i < error.length; i++) {
    heat.data.set([255, 120, 0, 150 * Math.min(1, 255 * error[i] / worst)], 4 * i);
  }
  const canvas = Object.assign(get("heat"), { width: side, height: side });
  canvas.getContext("2d").putImageData(heat, 0, 0);
  Object.assign(canvas.style, {
    left: `${100 * square.left / width}%`, width: `${100 * square.side / width}%`,
    top: `${100 * square.top / height}%`, height: `${100 * square.side / height}%`,
  });
  get("legend").textContent = `Orange, on the enhanced side: the expected error of each place, of the whole change; strongest from ${worst} of 255 grey levels on.`;
}

function toggleHeat() {
  get("heat").hidden = get("legend").hidden = !get("overlay").checked;
}
get("overlay").addEventListener("change", toggleHeat);

/** Ask for the strength that is set; while one is applied, the last one that is set comes next. */
function request() {
  get("share").textContent = `${strength.value} %`;
  if (applying) return;
  applying = true;
  worker.postMessage({ run, strength: strength.value / 100 });
}
strength.addEventListener("input", request);

function draw({ result, strength: applied }) {
  applying = false;
  context("after").putImageData(result, 0, 0);
  stage.dataset.strength = applied;
  get("result").hidden = false;
  if (Math.round(100 * applied) !== Number(strength.value)) request();
  else rest();
}

function divide() {
  const share = get("divide").value;
  get("right").style.clipPath = `inset(0 0 0 ${share}%)`;
  get("line").style.left = `${share}%`;
}
get("divide").addEventListener("input", divide);
divide();

get("save").addEventListener("click", () => {
  get("after").toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${name}_enhanced.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }, "image/png");
});
