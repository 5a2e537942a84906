// Toasts leave after 8 seconds; the clock stands still while the pointer or the focus is on them. Errors stay.
import { whenShown, all } from "./page.js";

const STAY = 8000;

function start(toast) {
  let left = STAY;
  let since = 0;
  let timer = 0;
  const run = () => {
    since = performance.now();
    timer = setTimeout(() => toast.remove(), left);
  };
  const hold = () => {
    clearTimeout(timer);
    left -= performance.now() - since;
  };
  const go = () => {
    clearTimeout(timer);
    if (!toast.matches(":hover, :focus-within")) run();
  };
  run();
  for (const name of ["pointerenter", "focusin"]) toast.addEventListener(name, hold);
  for (const name of ["pointerleave", "focusout"]) toast.addEventListener(name, () => setTimeout(go));
}

whenShown((part) => {
  for (const toast of all(part, ".toast[data-timed]")) {
    if (toast.dataset.timed) continue;
    toast.dataset.timed = "running";
    start(toast);
  }
});

document.addEventListener("click", (event) => {
  event.target.closest?.("[data-dismiss]")?.closest(".toast")?.remove();
});

// an undo is asked for once: its toast goes when the answer comes
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) event.detail.elt.closest?.("[data-undo]")?.closest(".toast")?.remove();
});

/** Shows an error toast and returns it. The same sentence is never there twice. */
export function showError(text) {
  const place = document.getElementById("toasts");
  const drawn = document.getElementById("toast-error");
  if (!place || !drawn) return null;
  for (const old of place.querySelectorAll(".toast.danger")) {
    if (old.querySelector(".t").textContent === text) old.remove();
  }
  const toast = drawn.content.firstElementChild.cloneNode(true);
  toast.querySelector(".t").textContent = text;
  place.append(toast);
  return toast;
}
