// ---- The photograph on the stage

let view = { scale: 1, x: 0, y: 0 };  // x and y: of its centre, from the stage's centre
let share = 50;  // of its visible width, in percent: the part that shows it before
let overlay = false;

async function picture({ pictures }, kind) {
  if (!pictures[kind]) return null;
  const image = make("img", { className: kind, draggable: false, src: pictures[kind] });
  image.alt = { before: "unenhanced", after: "enhanced", uncertainty: "" }[kind];
  try {
    await image.decode();
  } catch {
    return null;  // the file is not there
  }
  return image;
}

async function select(entry) {
  current = entry;
  mark();
  $("name").textContent = entry.name;
  $("standing").replaceChildren(badge(entry.standing));
  $("facts").textContent = summary(entry);
  $("reason").textContent = entry.reason;
  $("links").replaceChildren(...linksOf(entry, 0));
  showDecision();
  stage.classList.add("loading");
  showPosition();
  const kinds = ["before", "after", "uncertainty"];
  const pictures = await Promise.all(kinds.map((kind) => picture(entry, kind)));
  if (current !== entry) return;  // another one was chosen meanwhile
  stage.classList.remove("loading");
  display(...pictures);
  const lost = kinds.map((kind, index) => !pictures[index] && entry.pictures[kind]).find(Boolean);
  if (lost) tell(`Not found: ${readable(lost)}. Keep this folder beside the page`);
}

function display(old, enhanced, unsure) {
  view = { scale: 1, x: 0, y: 0 };
  const any = old ?? enhanced, compared = Boolean(old && enhanced);
  before.hidden = !old;
  after.hidden = !enhanced;
  handle.hidden = !compared;
  stage.classList.toggle("compared", compared);
  stage.classList.toggle("empty", !any);
  if (any) stage.style.setProperty("--ratio", any.naturalWidth / any.naturalHeight);
  frames[0].replaceChildren(...[old].filter(Boolean));
  frames[1].replaceChildren(...[enhanced, unsure].filter(Boolean));
  tell(enhanced ? "" : ["enhanced", "skipped"].includes(current.status) ? "No picture" : "Not enhanced");
  $("overlay").disabled = !(enhanced && unsure);
  stage.dataset.shows = current.index;
  draw();
}

function tell(message) {
  $("message").firstElementChild.textContent = message;
  $("message").hidden = !message;
}

function draw() {
  const { scale, x, y } = view, width = stage.clientWidth;
  for (const frame of frames) frame.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
  const halfWidth = (Math.max(...frames.map((frame) => frame.offsetWidth)) * scale) / 2;
  const left = Math.max(0, width / 2 + x - halfWidth), right = Math.min(width, width / 2 + x + halfWidth);
  const cut = left + ((right - left) * share) / 100;
  after.style.clipPath = handle.hidden ? "none" : `inset(0 0 0 ${cut}px)`;
  handle.style.left = `${cut}px`;
  handle.setAttribute("aria-valuenow", Math.round(share));
  handle.setAttribute("aria-valuetext", `${Math.round(share)} % before, ${Math.round(100 - share)} % after`);
  stage.classList.toggle("zoomed", scale > 1);
  stage.classList.toggle("uncertain", overlay);
  $("overlay").setAttribute("aria-pressed", String(overlay));
  $("legend").hidden = !overlay || $("overlay").disabled;
  const empty = stage.classList.contains("empty");
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
  const frame = frames.find((one) => one.offsetWidth);
  if (!frame) return;
  const free = (size, room) => Math.max(0, (size * scale - room) / 2);
  const farX = free(frame.offsetWidth, stage.clientWidth);
  const farY = free(frame.offsetHeight, stage.clientHeight);
  view = { scale, x: clamp(x, -farX, farX), y: clamp(y, -farY, farY) };
  draw();
}

function zoom(factor, at = { x: 0, y: 0 }) {
  const scale = clamp(view.scale * factor, 1, MOST_ZOOM), by = scale / view.scale;
  move(scale, at.x - (at.x - view.x) * by, at.y - (at.y - view.y) * by);
}

const pan = (x, y) => move(view.scale, view.x + x, view.y + y);

function toggle() {
  if ($("overlay").disabled) return;
  overlay = !overlay;
  draw();
}

for (const [id, act] of Object.entries({
  previous: () => step(-1), next: () => step(1), overlay: toggle,
  closer: () => zoom(1.5), farther: () => zoom(1 / 1.5), whole: () => move(1, 0, 0),
})) $(id).addEventListener("click", act);

// ---- Fingers and mouse

const fingers = new Map();
let gesture = null;  // "slide", "pan", "pinch"
let travelled = 0;
let start = { share, time: -Infinity };  // before the first of two clicks, or of two fingers

const point = (event) => {
  const box = stage.getBoundingClientRect();
  return { x: event.clientX - box.left - box.width / 2, y: event.clientY - box.top - box.height / 2 };
};
const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

stage.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || stage.classList.contains("empty")) return;
  stage.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, point(event));
  if (fingers.size > 1) {
    if (gesture === "slide") slide(start.share);
    gesture = "pinch";
    return;
  }
  const second = event.timeStamp - start.time < 400 && travelled < 4;  // of a double click
  if (!second) start = { share, time: event.timeStamp };
  travelled = 0;
  gesture = handle.contains(event.target) || view.scale === 1 ? "slide" : "pan";
  if (gesture === "slide") slideTo(point(event).x);
});

stage.addEventListener("pointermove", (event) => {
  const last = fingers.get(event.pointerId);
  if (!last) return;
  const now = point(event);
  fingers.set(event.pointerId, now);
  travelled += distance(now, last);
  if (gesture === "slide") slideTo(now.x);
  else if (gesture === "pan") pan(now.x - last.x, now.y - last.y);
  else if (fingers.size === 2) {
    const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
    zoom(distance(now, other) / Math.max(1, distance(last, other)), { x: (last.x + other.x) / 2, y: (last.y + other.y) / 2 });
    pan((now.x - last.x) / 2, (now.y - last.y) / 2);
  }
});

stage.addEventListener("pointerup", (event) => {
  if (gesture === "pan" && travelled < 4) slideTo(point(event).x);
});
stage.addEventListener("pointercancel", () => {
  if (gesture === "slide") slide(start.share);  // the page was scrolled
});
stage.addEventListener("lostpointercapture", (event) => {
  fingers.delete(event.pointerId);
  if (!fingers.size) gesture = null;
});
stage.addEventListener("dblclick", (event) => {
  if (stage.classList.contains("empty")) return;
  slide(start.share);
  if (view.scale > 1) move(1, 0, 0);
  else zoom(3, point(event));
});
stage.addEventListener("wheel", (event) => {
  const speed = event.ctrlKey ? 0.01 : event.deltaMode ? 0.03 : 0.002;  // a pinched touchpad; lines
  const scale = view.scale;
  zoom(Math.exp(-event.deltaY * speed), point(event));
  if (view.scale !== scale) event.preventDefault();  // else the page may scroll
}, { passive: false });
stage.addEventListener("touchmove", (event) => {
  if (event.touches.length > 1) event.preventDefault();
}, { passive: false });

