// Editing in place: when a swap replaces what had the focus, the focus goes to the new field ([autofocus]), or back
// to what opened the edit ([data-edit] in the part that came). Escape presses the [data-cancel] of an open edit.
let left = null;

document.addEventListener("htmx:beforeSwap", (event) => {
  const { target } = event.detail;
  left = target?.contains(document.activeElement) ? target.id : null;
});

document.addEventListener("htmx:afterSettle", () => {
  const part = left && document.getElementById(left);
  left = null;
  if (!part || document.activeElement !== document.body) return;
  const next = ["[aria-invalid=true]", "[autofocus]", "[data-edit]"]
    .map((place) => part.querySelector(place))
    .find(Boolean);
  if (next) next.focus();
  else {
    part.tabIndex = -1;
    part.focus();
  }
});

// A part in which another request is under way is not replaced: swapped away, what asked could neither take its answer
// nor hear the news that comes with it. That answer, or its news, brings the part up to date.
let answered = null;

document.addEventListener("htmx:beforeOnLoad", (event) => {
  answered = event.detail.elt;
});

document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const { target, fragment } = event.detail;
  if (!target.id || !fragment.querySelector(`#${CSS.escape(target.id)}`)) return;
  const asking = [target, ...target.querySelectorAll(".htmx-request")];
  if (asking.some((one) => one !== answered && one.matches(".htmx-request"))) event.detail.shouldSwap = false;
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented) return;
  const cancel = event.target.closest?.("[data-editing]")?.querySelector("[data-cancel]");
  if (!cancel) return;
  event.preventDefault();
  cancel.click();
});
