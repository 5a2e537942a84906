// What several modules ask of the page.
import htmx from "htmx.org";

export { htmx };

/** Whether keys belong to a field the person writes in. */
export function typing(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.matches("textarea, select")) return true;
  return (
    target.matches("input") && !target.matches("[type=checkbox], [type=radio], [type=button], [type=submit]")
  );
}

/** Whether single-letter shortcuts may act on this event (WCAG 2.1.4: people can turn them off). */
export function lettersMayAct(event) {
  if (event.defaultPrevented || event.isComposing) return false;
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  return document.documentElement.dataset.keys !== "off" && !typing(event.target);
}

export function visible(element) {
  return element.checkVisibility ? element.checkVisibility() : element.offsetParent !== null;
}

/** The dialog on top, or the whole page: keys never reach behind a dialog. */
export function stage() {
  const open = document.querySelectorAll("dialog[open]");
  return open.length ? open[open.length - 1] : document;
}

/** Says something to screen readers only. */
export function announce(text) {
  const line = document.getElementById("announce");
  if (!line) return;
  line.textContent = "";
  requestAnimationFrame(() => (line.textContent = text));
}

/** Runs for the page, and again for every part htmx swaps in. */
export function whenShown(work) {
  htmx.onLoad(work);
}

/** Every match in a part, the part itself included. */
export function all(part, selector) {
  const inside = [...part.querySelectorAll(selector)];
  return part.matches?.(selector) ? [part, ...inside] : inside;
}
