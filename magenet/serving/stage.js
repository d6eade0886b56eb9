// The photograph on the stage: before and after with a slider or side by side, zoom, overlays, strength.

const MOST_ZOOM = 8;
const $ = (id) => document.getElementById(id);
const stage = $("stage"), before = $("before"), after = $("after"), handle = $("handle");
const frames = [before, after].map((layer) => layer.querySelector(".frame"));
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

let view = { scale: 1, x: 0, y: 0 };  // x and y: of its centre, from the centre of its layer
let share = 50;  // of its visible width, in percent: the part that shows it before
let beside = false;
let overlay = "";  // "uncertainty", "change"
let shown = 0;  // counts what is shown: pictures that come late are of another

async function picture(kind, address) {
  if (!address) return null;
  const image = Object.assign(document.createElement("img"), { className: kind, draggable: false, src: address });
  image.alt = { before: "unenhanced", after: "enhanced" }[kind] ?? "";
  try {
    await image.decode();
  } catch {
    return null;  // deleted meanwhile
  }
  return image;
}

// Show the pictures at these addresses by kind, and a message where there is nothing to compare.
export async function show(addresses, message) {
  const own = (shown += 1);
  stage.classList.add("loading");
  const kinds = ["before", "before", "after", "uncertainty", "change"];
  const images = await Promise.all(kinds.map((kind) => picture(kind, addresses[kind])));
  if (shown !== own) return;
  const [old, below, enhanced, ...overlays] = images;
  frames[0].replaceChildren(...[old].filter(Boolean));
  // The strength is the opacity of the enhanced one over the unenhanced: before + strength * change.
  if (below) below.alt = "";
  frames[1].replaceChildren(...(enhanced ? [below, enhanced, ...overlays].filter(Boolean) : []));
  if (old) stage.style.setProperty("--ratio", old.naturalWidth / old.naturalHeight);
  stage.classList.toggle("empty", !old);
  stage.classList.toggle("single", !enhanced);
  for (const [index, id] of ["uncertainty", "change"].entries()) $(id).disabled = !enhanced || !overlays[index];
  $("message").firstElementChild.textContent = message;
  $("message").hidden = !message;
  stage.classList.remove("loading");
  move(1, 0, 0);
}

// Show a share of the change, 0 to 1, of that which the picture `after` shows.
export function showStrength(part) {
  const image = frames[1].querySelector(".after");
  if (image) image.style.opacity = part;
}

function draw() {
  const { scale, x, y } = view, width = stage.clientWidth;
  for (const frame of frames) frame.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
  const single = stage.classList.contains("single"), empty = stage.classList.contains("empty");
  handle.hidden = beside || single || empty;
  const half = (frames[0].offsetWidth * scale) / 2;
  const left = Math.max(0, width / 2 + x - half), right = Math.min(width, width / 2 + x + half);
  const cut = left + ((right - left) * share) / 100;
  after.style.clipPath = handle.hidden ? "none" : `inset(0 0 0 ${cut}px)`;
  handle.style.left = `${cut}px`;
  handle.setAttribute("aria-valuenow", Math.round(share));
  handle.setAttribute("aria-valuetext", `${Math.round(share)} % before, ${Math.round(100 - share)} % after`);
  stage.classList.toggle("beside", beside && !single && !empty);
  stage.classList.toggle("zoomed", scale > 1);
  for (const id of ["uncertainty", "change"]) {
    stage.classList.toggle(`shows-${id}`, overlay === id);
    $(id).setAttribute("aria-pressed", String(overlay === id));
  }
  $("beside").setAttribute("aria-pressed", String(beside));
  $("beside").disabled = single || empty;
  $("legend").hidden = !overlay || $(overlay).disabled;
  $("legend-text").textContent = overlay === "change"
    ? "Mean absolute change at the greatest strength of the slider, in grey levels of 255"
    : "Expected error of the whole change, in grey levels of 255";
  $("closer").disabled = empty || scale >= MOST_ZOOM;
  $("farther").disabled = $("whole").disabled = empty || scale <= 1;
  return { left, right };
}

function slide(to) {
  if (handle.hidden) return;
  share = clamp(to, 0, 100);
  draw();
}

function slideTo(x) {
  const { left, right } = draw();
  slide((100 * (x + stage.clientWidth / 2 - left)) / (right - left));
}

function move(scale, x, y) {
  const frame = frames[0], layer = before;
  const free = (size, room) => Math.max(0, (size * scale - room) / 2);
  const farX = free(frame.offsetWidth, layer.clientWidth), farY = free(frame.offsetHeight, layer.clientHeight);
  view = { scale, x: clamp(x, -farX, farX), y: clamp(y, -farY, farY) };
  draw();
}

function zoom(factor, at = { x: 0, y: 0 }) {
  const scale = clamp(view.scale * factor, 1, MOST_ZOOM), by = scale / view.scale;
  move(scale, at.x - (at.x - view.x) * by, at.y - (at.y - view.y) * by);
}

const pan = (x, y) => move(view.scale, view.x + x, view.y + y);

function choose(kind) {
  if ($(kind).disabled) return;
  overlay = overlay === kind ? "" : kind;
  draw();
}

function toggleBeside() {
  if ($("beside").disabled) return;
  beside = !beside;
  draw();
  move(view.scale, view.x, view.y);  // the layers have another size
}

for (const [id, act] of Object.entries({
  closer: () => zoom(1.5), farther: () => zoom(1 / 1.5), whole: () => move(1, 0, 0), beside: toggleBeside,
  uncertainty: () => choose("uncertainty"), change: () => choose("change"),
})) $(id).addEventListener("click", act);

// ---- Fingers and mouse

const fingers = new Map();
let gesture = null;  // "slide", "pan", "pinch"
let start = share;  // before the gesture

// A point from the centre of the layer that it is on, so that zooming holds it in place in both.
function point(event) {
  const on = beside && after.contains(event.target) ? after : stage.classList.contains("beside") ? before : stage;
  const box = on.getBoundingClientRect();
  return { x: event.clientX - box.left - box.width / 2, y: event.clientY - box.top - box.height / 2 };
}
const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

stage.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || stage.classList.contains("empty")) return;
  fingers.set(event.pointerId, point(event));
  event.target.setPointerCapture(event.pointerId);
  if (fingers.size > 1) {
    if (gesture === "slide") slide(start);
    gesture = "pinch";
    return;
  }
  start = share;
  gesture = !handle.hidden && (handle.contains(event.target) || view.scale === 1) ? "slide" : "pan";
  if (gesture === "slide") slideTo(point(event).x);
});

stage.addEventListener("pointermove", (event) => {
  const last = fingers.get(event.pointerId);
  if (!last) return;
  const now = point(event);
  fingers.set(event.pointerId, now);
  if (gesture === "slide") slideTo(now.x);
  else if (gesture === "pan") pan(now.x - last.x, now.y - last.y);
  else if (fingers.size === 2) {
    const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
    zoom(distance(now, other) / Math.max(1, distance(last, other)), { x: (last.x + other.x) / 2, y: (last.y + other.y) / 2 });
    pan((now.x - last.x) / 2, (now.y - last.y) / 2);
  }
});

stage.addEventListener("pointercancel", () => {
  if (gesture === "slide") slide(start);  // the page was scrolled
});
stage.addEventListener("lostpointercapture", (event) => {
  fingers.delete(event.pointerId);
  if (!fingers.size) gesture = null;
});
stage.addEventListener("dblclick", (event) => {
  if (stage.classList.contains("empty")) return;
  if (view.scale > 1) move(1, 0, 0);
  else zoom(3, point(event));
});
stage.addEventListener("wheel", (event) => {
  const speed = event.ctrlKey ? 0.01 : event.deltaMode ? 0.03 : 0.002;  // a pinched touchpad; lines
  const { scale } = view;
  if (!stage.classList.contains("empty")) zoom(Math.exp(-event.deltaY * speed), point(event));
  if (view.scale !== scale) event.preventDefault();  // else the page may scroll
}, { passive: false });

// Return what a key does on the stage; undefined if nothing.
export function keyAction(event) {
  const sideways = { ArrowLeft: () => slide(share - 2), ArrowRight: () => slide(share + 2) };
  const panning = {
    ArrowLeft: () => pan(60, 0), ArrowRight: () => pan(-60, 0), ArrowUp: () => pan(0, 60), ArrowDown: () => pan(0, -60),
  };
  const sliding = {
    ...sideways, ArrowUp: sideways.ArrowRight, ArrowDown: sideways.ArrowLeft,
    PageUp: () => slide(share + 10), PageDown: () => slide(share - 10), Home: () => slide(0), End: () => slide(100),
  };
  const always = {
    "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: () => move(1, 0, 0),
    s: toggleBeside, u: () => choose("uncertainty"), c: () => choose("change"),
  };
  const arrows = event.shiftKey && view.scale > 1 ? panning : event.target === handle ? sliding : sideways;
  return arrows[event.key] ?? always[event.key.toLowerCase()];
}

new ResizeObserver(() => move(view.scale, view.x, view.y)).observe(stage);
