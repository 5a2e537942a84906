// The list cursor: one row of [data-rows] is in the tab order, J and K (or the arrows) move it, Enter opens it,
// X ticks it and Shift X ticks the rows in between. It stays on the same [data-row] when the list is swapped.
import { lettersMayAct, stage, visible, whenShown } from "./page.js";

let at = null;
let lastTicked = null;

function rows() {
  return [...stage().querySelectorAll("[data-rows] [data-row]")].filter(visible);
}

function cursor() {
  return stage().querySelector("[data-rows] [data-row].is-cursor");
}

function put(row, focus = true) {
  for (const old of document.querySelectorAll("[data-row].is-cursor, [data-row][tabindex='0']")) {
    old.classList.remove("is-cursor");
    old.tabIndex = -1;
  }
  row.classList.add("is-cursor");
  row.tabIndex = 0;
  at = row.dataset.row;
  if (!focus) return;
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

function move(step) {
  const list = rows();
  if (!list.length) return;
  const here = list.indexOf(cursor());
  put(here < 0 ? list[0] : list[Math.min(list.length - 1, Math.max(0, here + step))]);
}

function tick(row, range) {
  const box = row.querySelector("[data-select]");
  if (!box) return;
  const list = rows();
  const from = list.findIndex((one) => one.dataset.row === lastTicked);
  const to = list.indexOf(row);
  lastTicked = row.dataset.row;
  if (!range || from < 0) return box.click();
  for (const one of list.slice(Math.min(from, to), Math.max(from, to) + 1)) {
    const other = one.querySelector("[data-select]");
    if (other && !other.checked) other.click();
  }
}

whenShown(() => {
  const list = rows();
  if (!list.length) return;
  for (const row of list) row.tabIndex = -1;
  const kept = at && list.find((row) => row.dataset.row === at);
  if (kept) put(kept, false);
  else list[0].tabIndex = 0;
});

document.addEventListener("focusin", (event) => {
  const row = event.target.closest?.("[data-rows] [data-row]");
  if (row && !row.classList.contains("is-cursor")) put(row, false);
});

document.addEventListener("click", (event) => {
  const box = event.target.closest?.("[data-select]");
  if (box) lastTicked = box.closest("[data-row]")?.dataset.row ?? null;
});

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented) return;
  const onRow = event.target.matches?.("[data-rows] [data-row]");
  const steps = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  if (onRow && event.key in steps && !event.altKey && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    move(Math.max(-1e6, Math.min(1e6, steps[event.key])));
    return;
  }
  if (onRow && event.key === "Enter") {
    event.preventDefault();
    (event.target.querySelector("[data-open]") || event.target.querySelector("a[href]"))?.click();
    return;
  }
  if (!lettersMayAct(event) || !rows().length) return;
  const key = event.key.toLowerCase();
  if (key === "j" || key === "k") {
    event.preventDefault();
    move(key === "j" ? 1 : -1);
  } else if (key === "x" && cursor()) {
    event.preventDefault();
    tick(cursor(), event.shiftKey);
  }
});
