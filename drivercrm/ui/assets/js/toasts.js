// Toasts leave after 8 seconds; the clock stands still while the pointer or the focus is on them. Errors stay.
import { all, stage, whenShown } from "./page.js";

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

// behind an open dialog a toast could neither be heard nor closed, so the sentence goes into the dialog
function showInside(dialog, drawn, text) {
  const banner = document.createElement("div");
  banner.className = "banner danger";
  banner.setAttribute("role", "alert");
  banner.dataset.error = "";
  const words = Object.assign(document.createElement("div"), { textContent: text });
  banner.append(drawn.content.querySelector("svg").cloneNode(true), words);
  dialog.querySelector("[data-error]")?.remove();
  (dialog.querySelector(".in, form") || dialog).prepend(banner);
  dialog.addEventListener("close", () => banner.remove(), { once: true });
  return banner;
}

/** Shows an error and returns its element. The same sentence is never there twice. */
export function showError(text) {
  const place = document.getElementById("toasts");
  const drawn = document.getElementById("toast-error");
  if (!place || !drawn) return null;
  if (stage() instanceof HTMLDialogElement && stage().id !== "palette")
    return showInside(stage(), drawn, text);
  for (const old of place.querySelectorAll(".toast.danger")) {
    if (old.querySelector(".t").textContent === text) old.remove();
  }
  const toast = drawn.content.firstElementChild.cloneNode(true);
  toast.querySelector(".t").textContent = text;
  place.append(toast);
  return toast;
}
