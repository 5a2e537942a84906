// data-dialog="id" opens a <dialog>, data-close closes the one around it, data-open opens one as it arrives.
// The browser keeps the focus inside and gives it back afterwards.
import { whenShown, all } from "./page.js";

export function open(dialog) {
  if (!dialog.open) dialog.showModal();
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[data-dialog]");
  const wanted = opener && document.getElementById(opener.dataset.dialog);
  if (wanted) {
    event.preventDefault();
    open(wanted);
    return;
  }
  const closer = event.target.closest?.("[data-close]");
  const around = closer?.closest("dialog");
  if (!around) return;
  // a link that leads back without JavaScript only closes here
  if (closer.matches("a")) event.preventDefault();
  around.close();
});

// a press on the scrim, not one that merely ends there after selecting text
document.addEventListener("pointerdown", (event) => {
  const dialog = event.target;
  if (!(dialog instanceof HTMLDialogElement) || "sticky" in dialog.dataset) return;
  const box = dialog.getBoundingClientRect();
  const inside =
    event.clientX >= box.left &&
    event.clientX <= box.right &&
    event.clientY >= box.top &&
    event.clientY <= box.bottom;
  if (!inside) dialog.close();
});

whenShown((part) => all(part, "dialog[data-open]").forEach(open));

// a form inside a dialog that was taken closes it; one that came back with errors stays
document.addEventListener("htmx:beforeOnLoad", (event) => {
  // before the swap: afterwards the form may no longer be in its dialog
  const { elt, xhr } = event.detail;
  if (xhr.status < 200 || xhr.status >= 300 || !elt.matches?.("dialog form, form dialog")) return;
  if (!("keep" in elt.dataset)) elt.closest("dialog")?.close();
});
