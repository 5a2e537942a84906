// Shortcuts live on the elements they press: data-key="c", "g d" (one after the other) or "Ctrl+k".
// `?` lists them. Single letters rest while typing and when <html data-keys="off">.
import { lettersMayAct, stage, visible } from "./page.js";

const PATIENCE = 1200;
const BUILT_IN = [
  ["[data-rows]", "Next, previous row", "j k"],
  ["[data-rows]", "Open the row", "Enter"],
  ["[data-select]", "Tick the row", "x"],
  ["[data-select]", "Tick the rows in between", "Shift+x"],
  ["[data-board]", "Walk the cards", "arrows"],
  ["[data-board]", "Lift and drop a card", "Space"],
  ["[data-board]", "Move to…", "m"],
  ["body", "Close, clear", "Esc"],
  ["body", "This list", "?"],
];
let begun = "";
let timer = 0;

function named(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return event.ctrlKey || event.metaKey ? `Ctrl+${key}` : key;
}

function candidates(sequence, target) {
  const found = [...stage().querySelectorAll(`[data-key="${CSS.escape(sequence)}"]`)].filter(visible);
  const near = target.closest?.("form, [data-row]") || document.querySelector(".is-cursor");
  const close = found.filter((element) => near?.contains(element));
  return close.length ? close : found;
}

function press(element) {
  if (element.matches("input, textarea, select")) {
    element.focus();
    element.select?.();
  } else {
    element.click();
    // the arrow keys walk an opened menu from its summary
    if (element.matches("summary")) element.focus();
  }
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || event.altKey) return;
  const chord = event.ctrlKey || event.metaKey;
  if (!chord && !lettersMayAct(event)) return;
  if (["Shift", "Control", "Meta", "Alt"].includes(event.key)) return;
  if (!chord && event.key === "?" && stage() === document) {
    event.preventDefault();
    list();
    return;
  }
  // Shift with a letter is somebody else's key (Shift X in lists)
  if (!chord && event.shiftKey && /^[a-z]$/i.test(event.key)) return;
  const key = named(event);
  const sequence = begun ? `${begun} ${key}` : key;
  clearTimeout(timer);
  begun = "";
  const found = candidates(sequence, event.target);
  if (found.length) {
    event.preventDefault();
    // of several toasts the newest is meant
    press(found[0].closest("#toasts") ? found[found.length - 1] : found[0]);
  } else if (!chord && [...stage().querySelectorAll(`[data-key^="${CSS.escape(key)} "]`)].some(visible)) {
    begun = key;
    timer = setTimeout(() => (begun = ""), PATIENCE);
  }
});

function says(element) {
  const label = element.labels?.[0]?.textContent.trim();
  const text = element.dataset.says || element.getAttribute("aria-label") || element.title || label;
  if (text) return text.replace(/\s*\(.*\)$/, "");
  const copy = element.cloneNode(true);
  for (const part of copy.querySelectorAll("kbd, .sr, .m-only, svg")) part.remove();
  return copy.textContent.trim();
}

function list() {
  const seen = new Map();
  for (const element of document.querySelectorAll("[data-key]")) {
    if (!seen.has(element.dataset.key)) seen.set(element.dataset.key, says(element));
  }
  const rows = [...seen].map(([key, text]) => [text, key]);
  for (const [where, text, key] of BUILT_IN) if (document.querySelector(where)) rows.push([text, key]);
  const dialog = document.createElement("dialog");
  dialog.className = "dialog";
  dialog.setAttribute("aria-labelledby", "shortcuts-title");
  const inside = document.createElement("form");
  inside.className = "in";
  inside.method = "dialog";
  const head = Object.assign(document.createElement("h2"), {
    id: "shortcuts-title",
    textContent: "Keyboard shortcuts",
  });
  const table = document.createElement("dl");
  table.className = "keylist";
  for (const [text, keys] of rows) {
    const keysShown = document.createElement("dd");
    for (const key of keys.split(/[ +]/)) {
      const cap = key.length === 1 ? key.toUpperCase() : key;
      keysShown.append(Object.assign(document.createElement("kbd"), { textContent: cap }));
    }
    table.append(Object.assign(document.createElement("dt"), { textContent: text }), keysShown);
  }
  const acts = document.createElement("div");
  acts.className = "acts";
  acts.append(Object.assign(document.createElement("button"), { className: "btn", textContent: "Close" }));
  inside.append(head, table, acts);
  dialog.append(inside);
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}

document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-shortcuts]")) list();
});
