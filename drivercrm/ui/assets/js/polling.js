// Parts that ask the server every few seconds rest while nobody looks, and say once when the line is down.
import { showError } from "./toasts.js";

let lost = null;

/** A request that the clock started, not a person. */
export function isPoll(request) {
  return !request?.triggeringEvent && /\bevery\b/.test(request?.elt?.getAttribute("hx-trigger") || "");
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && isPoll(event.detail.requestConfig)) event.preventDefault();
});

for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => {
    if (!isPoll(event.detail.requestConfig) || lost?.isConnected) return;
    lost = showError("No connection. This page stands still until it is back.");
  });
}

document.addEventListener("htmx:afterOnLoad", (event) => {
  if (!isPoll(event.detail.requestConfig)) return;
  lost?.remove();
  lost = null;
});
