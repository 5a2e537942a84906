// Ticked rows and the bar that acts on them. Inside [data-selection]: boxes [data-select], one [data-select-page],
// a bar [data-bulk] with [data-count], [data-clear], and [data-select-all data-total="312"], which sets the hidden
// field [data-all-flag] to 1 so that the server takes the whole view. Escape clears.
import { announce, htmx } from "./page.js";

const grouped = new Intl.NumberFormat("en-ZA", { useGrouping: true });

function parts(region) {
  return {
    boxes: [...region.querySelectorAll("[data-select]")],
    page: region.querySelector("[data-select-page]"),
    bar: region.querySelector("[data-bulk]"),
    flag: region.querySelector("[data-all-flag]"),
    every: region.querySelector("[data-select-all]"),
  };
}

function show(region, quiet = false) {
  const { boxes, page, bar, flag, every } = parts(region);
  const ticked = boxes.filter((box) => box.checked).length;
  for (const box of boxes) {
    const row = box.closest("tr");
    if (box.checked) row?.setAttribute("aria-selected", "true");
    else row?.removeAttribute("aria-selected");
  }
  if (page) {
    page.checked = ticked > 0 && ticked === boxes.length;
    page.indeterminate = ticked > 0 && ticked < boxes.length;
  }
  const whole = flag?.value === "1";
  const count = whole ? Number(every?.dataset.total ?? ticked) : ticked;
  // a capped total has words instead of a number: 1 000+
  const words = whole && every?.dataset.words;
  const text = words || grouped.format(count).replace(/[\s,]/g, "\u00a0");
  for (const place of region.querySelectorAll("[data-count]")) place.textContent = text;
  bar?.classList.toggle("is-open", ticked > 0);
  if (every) every.hidden = whole || Number(every.dataset.total) <= ticked;
  if (!quiet) announce(count ? `${text} selected` : "Nothing selected");
}

function clear(region) {
  const { boxes, flag } = parts(region);
  for (const box of boxes) box.checked = false;
  if (flag) flag.value = "";
  show(region);
}

document.addEventListener("change", (event) => {
  const region = event.target.closest?.("[data-selection]");
  if (!region) return;
  const { boxes, flag } = parts(region);
  if (event.target.matches("[data-select-page]")) {
    for (const box of boxes) box.checked = event.target.checked;
  } else if (!event.target.matches("[data-select]")) return;
  if (flag) flag.value = "";
  show(region);
});

document.addEventListener("click", (event) => {
  const region = event.target.closest?.("[data-selection]");
  if (!region) return;
  if (event.target.closest("[data-clear]")) clear(region);
  if (event.target.closest("[data-select-all]")) {
    const { flag } = parts(region);
    if (flag) flag.value = "1";
    show(region);
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  const region = document.querySelector("[data-selection]:has([data-select]:checked)");
  if (!region) return;
  event.preventDefault();
  clear(region);
});

// the browser restores ticks when it goes back, and a swap brings fresh rows
htmx.onLoad(() => document.querySelectorAll("[data-selection]").forEach((region) => show(region, true)));
addEventListener("pageshow", () =>
  document.querySelectorAll("[data-selection]").forEach((region) => show(region, true)),
);
