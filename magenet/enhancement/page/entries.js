// ---- Elements of the page, and texts
"use strict";

const ORDER = ["abstain", "check", "refused", "failed", "enhanced", "ok"];  // what needs a person first
// Of a verdict, status or decision, where it has others than its value.
const WORDS = { abstain: "do not use", "": "undecided", accept: "accepted", reject: "rejected" };
const MOST_ZOOM = 8;
const $ = (id) => document.getElementById(id);
const stage = $("stage"), before = $("before"), after = $("after"), handle = $("handle");
const frames = [...document.querySelectorAll(".frame")];

function make(kind, properties, ...children) {
  const element = Object.assign(document.createElement(kind), properties);
  element.append(...children);
  return element;
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// ---- The photographs, and the column of each of their facts

const found = new Map();  // by name: of a photograph that was enhanced again, the last
for (const block of document.querySelectorAll('script[type="application/json"]')) {
  const entry = JSON.parse(block.textContent);
  found.set(entry.name, { ...entry, standing: entry.verdict || entry.status });
}
const entries = [...found.values()].map((entry, index) => Object.assign(entry, { index }));
const words = (standing) => WORDS[standing] ?? standing;
const DECISIONS = ["", "accept", "reject"];
for (const entry of entries) entry.decided = entry.decision ?? { decision: "", note: "", date: "" };

function badge(standing) {
  const element = make("span", { className: `badge ${standing}`, textContent: words(standing) });
  element.dataset.standing = standing;
  return element;
}

function readable(address) {
  try {
    return decodeURIComponent(address);
  } catch {
    return address;  // a name that is not valid UTF-8
  }
}

function linksOf({ name, links, pictures }, tabIndex) {
  const files = { ...links, uncertainty: pictures.uncertainty };
  return Object.entries(files).filter(([, address]) => address).map(([kind, address]) =>
    make("a", { href: address, target: "_blank", rel: "noopener", textContent: kind, ariaLabel: `${kind}: ${name}`, tabIndex }));
}

function written(value) {
  if (value === null) return "–";
  if (typeof value !== "number" || Number.isInteger(value)) return String(value);
  return value.toFixed(clamp(2 - Math.floor(Math.log10(Math.abs(value))), 0, 4));  // three digits
}

const percent = (share) => (share === null ? "–" : `${Math.round(100 * share)} %`);
const withLevel = (error, { error_level: level }) => (error === null ? "–" : `${written(error)} of 255 (${level})`);

// Facts that are not shown as a plain number under their own name.
const FACTS = {
  expected_error: { text: withLevel },
  light_share: { label: "brightness correction applied", text: percent },
  vessel_invented: { label: "new vessels (recovered or invented)" },
};

const columns = [
  { label: "verdict", of: (entry) => ORDER.indexOf(entry.standing) },
  { label: "photograph", of: (entry) => entry.name },
  { label: "decision", of: ({ decided: { decision, note } }) => words(decision) + note },
];
const WITH_DECISION = columns.length;
const PRINTED = ["expected_error", "vessel_lost", "vessel_invented"];  // of the facts, what decides
for (const fact of new Set(entries.flatMap((entry) => Object.keys(entry.facts)))) {
  const of = (entry) => entry.facts[fact] ?? null;
  const numeric = entries.every((entry) => typeof of(entry) !== "string");
  const aside = PRINTED.includes(fact) ? "" : "aside";
  columns.push({ label: fact.replaceAll("_", " "), text: written, ...FACTS[fact], of, numeric, aside });
}

function summary(entry) {
  const { expected_error: error = null, light_share: light = null } = entry.facts;
  return [
    error === null ? "" : `expected error ${withLevel(error, entry)}`,
    light === null ? "" : `brightness correction applied: ${percent(light)}`,
  ].filter(Boolean).join(", ");
}

