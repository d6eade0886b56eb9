// ---- The table

let sorted = { column: columns[0], down: false };
const only = { standing: null, decision: null };  // the one verdict, the one decision that is shown
let sought = "";  // part of the names, reasons or notes that are shown
let shown = [];  // the photographs in the order of the table
let current = null;

const headClass = ({ label, numeric, aside = "" }) =>
  `${aside} ${numeric ? (label.length > 20 ? "number long" : "number") : ""}`.trim();

for (const column of columns) {
  const button = make("button", { type: "button", textContent: column.label });
  column.head = make("th", { scope: "col", className: headClass(column) }, button);
  column.head.dataset.label = column.label;
  button.addEventListener("click", () => {
    sorted = { column, down: sorted.column === column && !sorted.down };
    arrange();
  });
  $("head").append(column.head);
}
$("head").append(make("th", { scope: "col", className: "files", textContent: "files" }));

function row(entry) {
  const name = make("div", {}, make("button", { type: "button", tabIndex: -1, textContent: entry.name, title: entry.name }));
  if (entry.reason) name.append(make("small", { textContent: entry.reason, title: entry.reason }));
  const thumbnail = entry.thumbnail ? make("img", { src: entry.thumbnail, alt: "" }) : make("span");
  const { decision, note } = entry.decided;
  const decided = make("td", {}, decision ? badge(decision) : "");
  if (note) decided.append(make("small", { textContent: note, title: note }));
  const facts = columns.slice(WITH_DECISION).map(({ of, numeric, text, aside }) =>
    make("td", { className: `${aside} ${numeric ? "number" : ""}`.trim(), textContent: text(of(entry), entry) }));
  const files = make("td", { className: "files" }, make("div", { className: "links" }, ...linksOf(entry, -1)));
  const header = make("th", { scope: "row" }, make("div", {}, thumbnail, name));
  const element = make("tr", {}, make("td", {}, badge(entry.standing)), header, decided, ...facts, files);
  element.addEventListener("click", ({ target }) => {
    if (target.closest("a")) return;
    select(entry);
    stage.scrollIntoView({ block: "nearest" });  // on a telephone it may be out of view
  });
  return element;
}

// Only the rows in view, and some more, are in the document: of 10,000 it would be slow.
const SPARE = 20;
let rowHeight = 56;  // all are as high as the first
let rows = { from: 0, to: 0, elements: new Map() };  // of `shown`, and their elements by entry
let printing = false;  // all of them are in the document

function render(anew = false) {
  const table = $("table"), top = table.scrollTop / rowHeight;
  const room = Math.max(table.clientHeight, innerHeight) / rowHeight;
  const first = clamp(Math.floor(top), 0, shown.length), end = clamp(Math.ceil(top + room), first, shown.length);
  if (!anew && first >= rows.from && end <= rows.to) return;
  const from = printing ? 0 : Math.max(0, first - SPARE);
  const to = printing ? shown.length : Math.min(shown.length, end + SPARE);
  const focused = document.activeElement, inRows = $("rows").contains(focused);
  const elements = new Map(shown.slice(from, to).map((entry) => [entry, rows.elements.get(entry) ?? row(entry)]));
  rows = { from, to, elements };
  $("rows").replaceChildren(...elements.values());
  for (const [number, element] of [...elements.values()].entries()) element.ariaRowIndex = from + number + 2;
  $("above").style.height = `${from * rowHeight}px`;
  $("below").style.height = `${(shown.length - to) * rowHeight}px`;
  mark();
  if (inRows) (focused.isConnected ? focused : table).focus({ preventScroll: true });
}

function buttonOf(entry) {
  return rows.elements.get(entry)?.querySelector("button");
}

function mark() {
  for (const button of $("rows").querySelectorAll("[aria-current]")) {
    button.removeAttribute("aria-current");
    for (const one of button.closest("tr").querySelectorAll("button, a")) one.tabIndex = -1;
  }
  const button = buttonOf(current);
  if (!button) return;
  button.setAttribute("aria-current", "true");
  for (const one of button.closest("tr").querySelectorAll("button, a")) one.tabIndex = 0;
}

const collator = new Intl.Collator(undefined, { numeric: true });

function compare(a, b) {
  return typeof a === "number" && typeof b === "number" ? a - b : collator.compare(a, b);
}

function arrange() {
  const { of } = sorted.column, sign = sorted.down ? -1 : 1;
  shown = entries.filter(({ standing, name, reason, decided: { decision, note } }) =>
    standing === (only.standing ?? standing) && decision === (only.decision ?? decision)
    && [name, reason, note].some((text) => text.toLowerCase().includes(sought)));
  shown.sort((a, b) => {
    const x = of(a), y = of(b);
    const order = x === null || y === null ? (x === null) - (y === null) : sign * compare(x, y);
    return order || a.index - b.index;  // unknown values come last in either direction
  });
  for (const { head } of columns) head.removeAttribute("aria-sort");
  sorted.column.head.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
  document.querySelector("table").ariaRowCount = shown.length + 1;
  render(true);
  const height = $("rows").firstElementChild?.getBoundingClientRect().height;
  if (height && Math.abs(height - rowHeight) > 0.01) {
    rowHeight = height;
    render(true);
  }
  if (!shown.includes(current) && shown.length) select(shown[0]);
  else if (current) showPosition();
}

function showPosition() {
  const index = shown.indexOf(current);
  $("position").textContent = `${index + 1} of ${shown.length}`;
  $("previous").disabled = index <= 0;
  $("next").disabled = index < 0 || index === shown.length - 1;
  if (index < 0) return;
  const table = $("table"), top = index * rowHeight;
  const room = table.clientHeight - $("head").offsetHeight - rowHeight;
  table.scrollTop = clamp(table.scrollTop, top - room, top);
  render();
}

function step(by) {
  const next = shown[shown.indexOf(current) + by];
  if (!next) return;
  const focused = $("rows").contains(document.activeElement);
  select(next);
  if (focused) buttonOf(next).focus({ preventScroll: true });
}

// Buttons that show photographs of one value alone, with their number.
function filters(group, what, all, values, valueOf) {
  for (const value of [null, ...values]) {
    const button = make("button", { type: "button" }, `${value === null ? all : words(value)} `, make("b"));
    if (value !== null) button.dataset[what] = value;
    button.setAttribute("aria-pressed", String(value === null));
    button.addEventListener("click", () => {
      only[what] = value;
      for (const other of group.children) other.setAttribute("aria-pressed", String(other === button));
      arrange();
    });
    group.append(button);
  }
  return function count() {
    const counts = new Map([[null, entries.length]]);
    for (const entry of entries) counts.set(valueOf(entry), (counts.get(valueOf(entry)) ?? 0) + 1);
    for (const [number, button] of [...group.children].entries()) {
      button.querySelector("b").textContent = counts.get([null, ...values][number]) ?? 0;
    }
  };
}

const standings = [...new Set(entries.map((entry) => entry.standing))];
standings.sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));
filters($("filters"), "standing", "all", standings, ({ standing }) => standing)();
const countDecisions = filters($("decided"), "decision", "any decision", DECISIONS, ({ decided }) => decided.decision);

$("search").addEventListener("input", ({ target }) => {
  sought = target.value.trim().toLowerCase();
  arrange();
});
$("table").addEventListener("scroll", () => render());

addEventListener("beforeprint", () => {
  const count = shown.length === entries.length ? "all" : shown.length;
  $("extent").textContent = `On this sheet: ${count} of ${entries.length} photographs`;
  printing = true;
  render(true);
});
addEventListener("afterprint", () => {
  printing = false;
  render(true);
});

