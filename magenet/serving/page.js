// The page of `magenet serve`: uploads, the list of photographs, and what is told of each.

import { keyAction, show, showStrength } from "./stage.js";

const BUSY = 1000, IDLE = 5000;  // milliseconds between two looks at the server
const WORDS = { abstain: "do not use", working: "at work" };
const $ = (id) => document.getElementById(id);
const words = (standing) => WORDS[standing] ?? standing;

function make(kind, properties, ...children) {
  const element = Object.assign(document.createElement(kind), properties);
  element.append(...children);
  return element;
}

let about = null;  // limits and endings of the server
let photographs = [];  // as the server tells of them, in order of arrival
let current = "";  // key of the one on the stage
let tag = null;  // of the answer that `photographs` is from
let round = { known: new Set(), sent: 0, sending: 0, part: 0 };  // since everything was done last

const keyOf = ({ job, number }) => `jobs/${job}/photographs/${number}`;
const standingOf = ({ verdict, status }) => verdict || status;
const isOpen = ({ status }) => status === "waiting" || status === "working";
const currentOne = () => photographs.find((one) => keyOf(one) === current);
const say = (text) => ($("said").textContent = text);
const percent = (share) => `${Math.round(100 * share)} %`;
const counted = (number) => `${number} photograph${number === 1 ? "" : "s"}`;
const megabytes = (bytes) => `${Math.round(bytes / 2 ** 20)} MB`;

async function ask(address, options = {}) {
  const answer = await fetch(address, options);
  if (answer.ok || answer.status === 304) return answer;
  let reason = `The server answers ${answer.status}.`;
  try {
    reason = (await answer.json()).detail;
  } catch {}  // no JSON: from a proxy
  throw new Error(reason);
}

// ---- Uploads

const problems = [];

function report(name, reason) {
  problems.push(`${name}: ${reason}`);
  $("problems").append(make("li", { textContent: problems.at(-1) }));
  $("problems").hidden = false;
}

// Return the files below an entry that was dropped, with their paths.
async function filesBelow(entry, path = "") {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ file, path: path + file.name }];
  }
  const reader = entry.createReader(), found = [];
  for (;;) {  // a reader gives a hundred at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const one of some) found.push(...(await filesBelow(one, `${path}${entry.name}/`)));
  }
}

function isPhotograph(path) {
  const name = path.split("/").at(-1), ending = /\.[^.]*$/.exec(name)?.[0].toLowerCase() ?? "";
  // Without an ending it may be DICOM, which the server can tell.
  return !name.startsWith(".") && (ending === "" || /^\.\d+$/.test(ending) || about.endings.includes(ending));
}

function send({ file, path }) {
  const form = new FormData();
  form.append("files", file, path);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();  // fetch tells no progress of uploads
    request.open("POST", "enhance");
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => {
      round.part = total ? loaded / total : 0;
      showProgress();
    };
    request.onload = () => {
      if (request.status < 300) return resolve(request.response.photographs);
      const error = new Error(request.response?.detail ?? `The server answers ${request.status}.`);
      reject(Object.assign(error, { full: [401, 429, 507].includes(request.status) }));
    };
    request.onerror = () => reject(new Error("The server cannot be reached, or the file has changed."));
    request.send(form);
  });
}

const queue = [];
let sending = false;

async function upload(files) {
  const known = files.filter(({ path }) => isPhotograph(path));
  if (!known.length && files.length) return say("None of these files is a photograph by its name.");
  const others = files.length - known.length;
  say(others ? `${others} file${others === 1 ? " is" : "s are"} left out: no photographs by their names.` : "");
  if (!sending && !queue.length) {
    problems.length = 0;
    $("problems").replaceChildren();
    $("problems").hidden = true;
  }
  queue.push(...known);
  round.sending += known.length;
  showProgress();
  if (sending) return;
  sending = true;
  while (queue.length) {
    const next = queue.shift();
    round.part = 0;
    try {
      if (next.file.size > about.limits.upload) throw new Error(`It is larger than ${megabytes(about.limits.upload)}.`);
      const sent = await send(next);
      const known = new Set(photographs.map(keyOf));  // a look may have been faster
      photographs.push(...sent.filter((one) => !known.has(keyOf(one))));
      for (const one of sent) round.known.add(keyOf(one));  // it may be done before the next look
      arrange();
      look();
    } catch (error) {
      report(next.path, error.message);
      if (error.full) {
        if (queue.length) report(`and ${counted(queue.length)} more`, "not sent");
        round.sending -= queue.length;
        queue.length = 0;
      }
    }
    round.sent += 1;
    round.part = 0;
    showProgress();
  }
  sending = false;
  await look();
}

function taken(list) {
  return [...list].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
}

for (const id of ["files", "folder"]) {
  $(id).addEventListener("change", ({ target }) => {
    upload(taken(target.files));
    target.value = "";  // so that the same can be chosen again
  });
}
$("choose").addEventListener("click", () => $("files").click());
$("choose-folder").addEventListener("click", () => $("folder").click());

const drags = (event) => event.dataTransfer?.types.includes("Files");
for (const kind of ["dragenter", "dragover"]) {
  addEventListener(kind, (event) => {
    if (!drags(event)) return;
    event.preventDefault();
    $("drop").classList.add("over");
  });
}
addEventListener("dragleave", ({ relatedTarget }) => {
  if (!relatedTarget) $("drop").classList.remove("over");
});
addEventListener("drop", async (event) => {  // anywhere: a photograph must not replace the page
  if (!drags(event)) return;
  event.preventDefault();
  $("drop").classList.remove("over");
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return upload(taken(event.dataTransfer.files));
  try {
    upload((await Promise.all(entries.map((entry) => filesBelow(entry)))).flat());
  } catch {
    say("What was dropped cannot be read.");
  }
});

// ---- Progress: of what was sent and enhanced since everything was done last

function showProgress() {
  const open = photographs.filter(isOpen);
  for (const one of open) round.known.add(keyOf(one));
  const held = photographs.filter((one) => round.known.has(keyOf(one))).length;
  const done = held - open.length;
  const gone = round.known.size - held;  // deleted meanwhile, by somebody or because their time was over
  const left = round.sending - round.sent;
  $("progress").hidden = !open.length && !left;
  if ($("progress").hidden) {
    if (round.known.size) say(`Done: ${counted(done)}.` + (gone ? ` ${counted(gone)} deleted meanwhile.` : ""));
    round = { known: new Set(), sent: 0, sending: 0, part: 0 };
    return;
  }
  const total = held + left;
  // Sending counts for a tenth of a photograph's work.
  $("bar").max = total;
  $("bar").value = done + 0.1 * (open.length + round.part);
  $("progress-text").textContent = [
    left ? `Sending ${round.sent + 1} of ${round.sending}` : "", `enhanced ${done} of ${total}`,
  ].filter(Boolean).join(", ");
}

// ---- The list

const rows = new Map();  // by key: the element, and what it shows

function badge(standing) {
  return make("span", { className: `badge ${standing}`, textContent: words(standing) });
}

function row(one) {
  const { pictures, name, reasons } = one;
  const image = pictures.thumbnail
    ? make("img", { src: pictures.thumbnail, alt: "", loading: "lazy" }) : make("span", { className: "none" });
  const text = make("span", {}, make("span", { textContent: name, title: name }));
  if (reasons.length) text.append(make("span", { className: "why", textContent: reasons.join("; ") }));
  const button = make("button", { type: "button" }, image, text, badge(standingOf(one)));
  button.addEventListener("click", () => {
    select(keyOf(one));
    $("viewer").scrollIntoView({ block: "nearest" });
  });
  return make("li", {}, button);
}

function arrange() {
  const seen = new Set(photographs.map(keyOf));
  for (const [key, { element }] of rows) {
    if (seen.has(key)) continue;
    element.remove();
    rows.delete(key);
  }
  for (const [index, one] of photographs.entries()) {
    const key = keyOf(one), text = JSON.stringify(one), old = rows.get(key);
    if (old?.text !== text) {
      const element = row(one), focused = old?.element.contains(document.activeElement);
      old?.element.replaceWith(element);
      rows.set(key, { element, text });
      if (focused) element.querySelector("button").focus({ preventScroll: true });
    }
    const { element } = rows.get(key), there = $("rows").children[index] ?? null;
    if (there !== element) $("rows").insertBefore(element, there);
  }
  const done = photographs.filter((one) => !isOpen(one)).length;
  $("list").hidden = $("viewer").hidden = !photographs.length;
  $("count").textContent = counted(photographs.length);
  $("download-all").hidden = !done;
}

// ---- The photograph that is looked at

const FACTS = [
  ["expected_error", (value, { error_level: level }) => `expected error ${value} of 255 (${level})`],
  ["light_share", (value) => `brightness correction applied: ${percent(value)}`],
  ["vessel_lost", (value) => `vessel length lost: ${percent(value)}`],
  ["vessel_invented", (value) => `new vessels (recovered or invented): ${value.toFixed(2)} times the length before`],
  ["width", (value, { report: { height } }) => `${value} × ${height} px`],
];

let onStage = "";  // what the stage shows

function select(key) {
  current = key;
  tell();
}

function tell() {
  if (!currentOne() && photographs.length) current = keyOf(photographs[0]);
  const one = currentOne();
  for (const [key, { element }] of rows) {
    const button = element.querySelector("button");
    if (key === current) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
  if (!one) {
    onStage = "";
    return;
  }
  const index = photographs.indexOf(one), open = isOpen(one), enhanced = one.status === "enhanced";
  if ($("name").textContent !== one.name) $("name").textContent = one.name;
  if ($("badge").textContent !== words(standingOf(one))) $("badge").replaceChildren(badge(standingOf(one)));
  $("position").textContent = `${index + 1} of ${photographs.length}`;
  $("previous").disabled = index === 0;
  $("next").disabled = index === photographs.length - 1;
  $("facts").textContent = FACTS.filter(([name]) => typeof one.report[name] === "number")
    .map(([name, text]) => text(one.report[name], one)).join(", ");
  $("reasons").replaceChildren(...one.reasons.map((reason) => make("li", { textContent: reason })));
  $("reasons").hidden = !one.reasons.length;
  $("download").hidden = !one.pictures.result;
  $("download").href = one.pictures.result ?? "";
  $("download").download = one.name.split("/").at(-1);
  $("download").textContent = one.strength < 1 ? `Download (strength ${percent(one.strength)})` : "Download";
  $("force").hidden = one.status !== "refused";
  const stands = JSON.stringify([current, one.pictures, one.shown_strength, one.status, one.strength]);
  if (stands === onStage) return;
  onStage = stands;
  $("strength-tools").hidden = $("strength-note").hidden = !one.pictures.after;
  $("strength").max = Math.round(100 * (one.shown_strength ?? 1));
  $("strength").value = Math.round(100 * one.strength);
  const message = open ? `${words(one.status)} …` : enhanced ? "" : "Not enhanced";
  const pictures = enhanced || open ? one.pictures : { before: one.pictures.before };
  show(pictures, message).then(applyStrength);
  applyStrength();
}

function applyStrength() {
  const one = currentOne(), chosen = Number($("strength").value) / 100;
  if (!one) return;
  showStrength(one.shown_strength ? chosen / one.shown_strength : 1);
  $("strength-text").textContent = percent(chosen);
  $("strength").setAttribute("aria-valuetext", percent(chosen));
  const differs = Math.abs(chosen - one.strength) > 0.004;
  $("apply").hidden = !differs;
  $("apply").disabled = isOpen(one);
  $("apply").textContent = `Enhance at ${percent(chosen)}`;
  $("strength-note").textContent = differs
    ? `A preview: the file to download and its verdict are at ${percent(one.strength)} until it is enhanced again.` : "";
}

$("strength").addEventListener("input", applyStrength);

async function done(action) {
  try {
    await action();
    say("");
  } catch (error) {
    say(error.message);
  }
  await look();
}

function enhanceAgain(one, change) {
  const body = JSON.stringify({ strength: one.strength, force: one.force, ...change });
  return ask(keyOf(one), { method: "PATCH", headers: { "Content-Type": "application/json" }, body });
}

$("apply").addEventListener("click", () => done(() => enhanceAgain(currentOne(), { strength: Number($("strength").value) / 100 })));
$("force").addEventListener("click", () => done(() => enhanceAgain(currentOne(), { force: true })));
$("delete").addEventListener("click", () => done(async () => {
  const index = photographs.indexOf(currentOne()), next = photographs[index + 1] ?? photographs[index - 1];
  await ask(current, { method: "DELETE" });
  current = next ? keyOf(next) : "";
}));
$("delete-all").addEventListener("click", () => {
  if (confirm(`Delete ${counted(photographs.length)} with all results?`)) done(() => ask("jobs", { method: "DELETE" }));
});

function step(by) {
  const next = photographs[photographs.indexOf(currentOne()) + by];
  if (next) select(keyOf(next));
}
$("previous").addEventListener("click", () => step(-1));
$("next").addEventListener("click", () => step(1));

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input")) return;
  if (!photographs.length) return;
  if (event.key.length === 1 && !$("letters").checked) return;  // for who speaks to the computer, or types by accident
  const steps = { n: () => step(1), p: () => step(-1) };
  const act = steps[event.key.toLowerCase()] ?? keyAction(event);
  if (!act) return;
  event.preventDefault();
  act();
});

// ---- What the server tells

let timer = null;
let looks = 0;  // an answer that comes late knows nothing of what was sent since

async function look() {
  const own = (looks += 1);
  clearTimeout(timer);
  try {
    const answer = await ask("jobs", { cache: "no-store", headers: tag ? { "If-None-Match": tag } : {} });
    const jobs = answer.status === 200 ? await answer.json() : null;
    if (own !== looks) return;
    if (jobs) {
      tag = answer.headers.get("ETag");
      photographs = jobs.flatMap((job) => job.photographs);
      arrange();
      tell();
    }
    showProgress();
  } catch (error) {
    tag = null;
    say(error instanceof TypeError ? "The server cannot be reached: is it still running?" : error.message);
  }
  clearTimeout(timer);
  timer = setTimeout(look, photographs.some(isOpen) ? BUSY : IDLE);
}

// The token is in a cookie now; it need not stay in the address and in the history.
if (location.search) history.replaceState(null, "", location.pathname);
about = await (await ask("about")).json();
const minutes = Math.round(about.keep_minutes * 10) / 10;
$("kept").textContent = `Photographs stay on the machine that runs this server, and are deleted ${minutes} minute${minutes === 1 ? "" : "s"} after their upload.`;
$("taken").textContent = `JPEG, PNG, TIFF, BMP, WebP or DICOM; up to ${megabytes(about.limits.upload)} and ${Math.round(about.limits.pixels / 1e6)} megapixels each, ${about.limits.photographs} at once.`;
await look();
document.body.dataset.ready = "";
