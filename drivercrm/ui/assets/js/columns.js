// The column chooser: ticking sends its form at once, the grip or Alt with the arrows changes the order.
// [data-columns] is the form; each .it in it is a <label> with one checkbox. Fields are sent in the order shown.
import { announce } from "./page.js";

const wait = new WeakMap();

function send(form) {
  clearTimeout(wait.get(form));
  wait.set(
    form,
    setTimeout(() => form.requestSubmit(), 250),
  );
}

function step(item, way) {
  const other = way < 0 ? item.previousElementSibling : item.nextElementSibling;
  if (!other?.matches("label.it")) return;
  if (way < 0) other.before(item);
  else other.after(item);
  const items = [...item.parentElement.querySelectorAll("label.it")];
  announce(`${item.textContent.trim()}, place ${items.indexOf(item) + 1} of ${items.length}`);
  item.querySelector("input").focus();
  send(item.closest("form"));
}

document.addEventListener("change", (event) => {
  const form = event.target.closest?.("form[data-columns]");
  if (form) send(form);
});

document.addEventListener("keydown", (event) => {
  const item = event.target.closest?.("form[data-columns] label.it");
  if (!item || !event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
  event.preventDefault();
  step(item, event.key === "ArrowUp" ? -1 : 1);
});

let dragged = null;

document.addEventListener("pointerdown", (event) => {
  const grip = event.target.closest?.("form[data-columns] .grip");
  if (!grip) return;
  event.preventDefault();
  dragged = grip.closest("label.it");
  dragged.classList.add("is-active");
});

document.addEventListener("pointermove", (event) => {
  if (!dragged) return;
  const over = document.elementFromPoint(event.clientX, event.clientY)?.closest("label.it");
  if (!over || over === dragged || over.parentElement !== dragged.parentElement) return;
  const box = over.getBoundingClientRect();
  if (event.clientY < box.top + box.height / 2) over.before(dragged);
  else over.after(dragged);
});

document.addEventListener("pointerup", (event) => {
  if (!dragged) return;
  dragged.classList.remove("is-active");
  send(dragged.closest("form"));
  dragged = null;
  event.preventDefault();
});

// letting go of the grip is not a tick
document.addEventListener("click", (event) => {
  if (event.target.closest?.("form[data-columns] .grip")) event.preventDefault();
});
