// ---- Decisions: kept by this browser, saved as a file, read from one

const KEPT = `magenet ${document.body.dataset.run} `;  // begins the keys of this run
const HEAD = ["photograph", "verdict", "decision", "note", "date", "result", "id"];
let isKept = true;  // whether this browser keeps decisions
let isSaved = true;

function recall(entry) {
  let found = null;
  try {
    found = JSON.parse(localStorage.getItem(KEPT + entry.id));
  } catch (error) {
    if (error.name === "SecurityError") isKept = false;  // local storage is switched off
  }
  if (!found || !DECISIONS.includes(found.decision) || found.date < entry.decided.date) return;
  entry.decided = { decision: found.decision, note: String(found.note ?? ""), date: String(found.date) };
}

function keep(entry) {
  try {
    localStorage.setItem(KEPT + entry.id, JSON.stringify(entry.decided));
  } catch {
    isKept = false;
  }
  if (!isKept) isSaved = false;
}

const say = (text) => ($("said").textContent = isKept ? text : `${text} This browser does not keep decisions: save them.`);

function showDecision() {
  const { decision, note } = current.decided;
  for (const id of ["accept", "reject"]) $(id).setAttribute("aria-pressed", String(decision === id));
  if ($("note").value !== note) $("note").value = note;
}

function show(entry) {
  const old = rows.elements.get(entry);
  if (old) {
    const anew = row(entry), focused = old.contains(document.activeElement);
    anew.ariaRowIndex = old.ariaRowIndex;
    old.replaceWith(anew);
    rows.elements.set(entry, anew);
    mark();
    if (focused) buttonOf(entry).focus({ preventScroll: true });
  }
  if (entry === current) showDecision();
}

const now = () => `${new Date().toISOString().slice(0, 19)}Z`;

function decide(entry, decision, note, date = now()) {
  entry.decided = { decision, note, date };
  keep(entry);
  show(entry);  // the table stays as it is: a filter takes no photograph away at once
}

function choose(decision) {
  if (!current) return;
  const { decision: old, note } = current.decided;
  decide(current, old === decision ? "" : decision, note);
  countDecisions();
  say(`${current.name}: ${words(current.decided.decision)}.`);
}

for (const id of ["accept", "reject"]) $(id).addEventListener("click", () => choose(id));
$("note").addEventListener("input", ({ target }) => decide(current, current.decided.decision, target.value));
$("note").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" && event.key !== "Escape") return;
  event.preventDefault();  // else Enter would also press the button
  $("accept").focus();
});
addEventListener("storage", ({ key }) => {  // another tab shows the same page
  const entry = key?.startsWith(KEPT) && entries.find(({ id }) => KEPT + id === key);
  if (!entry) return;
  recall(entry);
  show(entry);
  countDecisions();
});
addEventListener("beforeunload", (event) => {
  if (!isSaved) event.preventDefault();
});

const FORMULA = /^'*[=+@\t\r-]/;  // with ' before it, a spreadsheet takes it for a text

function cell(text) {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",;\t\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

// As enhance.csv has it: what cannot be printed, as an escape.
const listed = (name) => name.replace(/(?! )[\p{C}\p{Z}]/gu, (character) => {
  const code = character.codePointAt(0), digits = code < 0x100 ? 2 : code < 0x10000 ? 4 : 8;
  const short = { 9: "\\t", 10: "\\n", 13: "\\r" }[code];
  return short ?? `\\${{ 2: "x", 4: "u", 8: "U" }[digits]}${code.toString(16).padStart(digits, "0")}`;
});

$("save").addEventListener("click", () => {
  const lines = entries.map(({ name, standing, decided: { decision, note, date }, links, id }) =>
    [listed(name), standing, decision, note, date, listed(readable(links.result ?? "")), id]);
  const text = [HEAD, ...lines].map((line) => `${line.map(cell).join(",")}\r\n`);
  const file = new Blob(["\ufeff", ...text], { type: "text/csv" });  // the mark tells Excel that it is UTF-8
  const link = make("a", { href: URL.createObjectURL(file), download: "decisions.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  isSaved = true;
  say(`Saved ${entries.filter(({ decided }) => decided.date).length} decisions and notes.`);
});

// Return the lines of a CSV, each as its cells; null if it is none.
function cells(text) {
  const mark = /[,;\t]/.exec(text)?.[0] ?? ",";  // spreadsheets of some countries write semicolons
  const next = new RegExp(`(?:"([^"]*(?:""[^"]*)*)"|([^"${mark}\\r\\n]*))(${mark}|\\r?\\n|$)`, "y");
  const lines = [[]];
  while (next.lastIndex < text.length) {
    const [, quoted, plain, end] = next.exec(text) ?? [];
    if (end === undefined) return null;
    lines.at(-1).push(quoted?.replaceAll('""', '"') ?? plain);
    if (end !== mark) lines.push([]);
  }
  return lines.filter((line) => line.some(Boolean));
}

async function readFile(file) {
  let lines = null;
  try {
    lines = cells(new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer()));
  } catch {
    return say(`${file.name} is not read: it is not in UTF-8.`);
  }
  const head = lines?.shift() ?? [];
  const missing = ["decision", "note", "date", "id"].filter((name) => !head.includes(name));
  if (!lines || missing.length) return say(`${file.name} is not read: no CSV with the columns decision, note, date, id.`);
  const counts = { read: 0, older: 0, undated: 0, foreign: 0, wrong: 0 };
  const byId = new Map(entries.map((entry) => [entry.id, entry])), undated = [];
  for (const line of lines) {
    const value = (name) => line[head.indexOf(name)] ?? "";
    const entry = byId.get(value("id")), decision = value("decision").trim().toLowerCase(), date = value("date");
    const note = FORMULA.test(value("note")) ? value("note").replace(/^'/, "") : value("note");
    const isDated = /^\d{4}-\d\d-\d\dT[\d:]{8}Z$/.test(date);
    if (!decision && !note && !date) continue;
    if (!entry) counts.foreign += 1;
    else if (!DECISIONS.includes(decision)) counts.wrong += 1;
    else if (!isDated && entry.decided.date) undated.push([entry, decision, note]);
    else if (isDated && date < entry.decided.date) counts.older += 1;
    else {
      decide(entry, decision, note, isDated ? date : now());
      counts.read += 1;
    }
  }
  const other = undated.filter(([{ decided }, decision, note]) => decided.decision !== decision || decided.note !== note);
  if (other.length && confirm(`${other.length} decisions or notes in ${file.name} have no date that can be read, and differ from those here. Replace those here?`)) {
    for (const [entry, decision, note] of other) decide(entry, decision, note);
    counts.read += other.length;
  } else counts.undated = other.length;
  countDecisions();
  arrange();
  say([
    `Read ${counts.read} decisions and notes from ${file.name}.`,
    counts.older && `${counts.older} older than those here were left out.`,
    counts.undated && `${counts.undated} without a date that differ from those here were left out.`,
    counts.foreign && `${counts.foreign} on photographs or results that are not on this page were left out.`,
    counts.wrong && `${counts.wrong} that are neither accept nor reject were left out.`,
  ].filter(Boolean).join(" "));
}

$("read").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", async ({ target }) => {
  if (target.files.length) await readFile(target.files[0]);
  target.value = "";  // so that the same file can be read again
});
