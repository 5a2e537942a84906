// Answers that went wrong become a toast with the server's own sentence. A 422 page fragment is a form with its
// errors: it is swapped in, and the first wrong field gets the focus.
import { htmx } from "./page.js";
import { showError } from "./toasts.js";
import { isPoll } from "./polling.js";

const SENTENCES = {
  401: "You are signed out. Load the page again to sign in.",
  403: "Your role does not allow this.",
  404: "This is no longer there. Load the page again.",
  409: "Someone else changed this. Load the page again.",
  413: "This is too large.",
  422: "Something in the form is not right.",
  429: "That was too often. Wait a minute and try again.",
};
const BROKEN = "The server hit a problem. Load the page again to see what was saved.";
const OFFLINE = "No connection. What you typed is kept, try again in a moment.";

function isPage(xhr) {
  return (xhr.getResponseHeader("Content-Type") || "").startsWith("text/html");
}

function sentence(xhr) {
  const type = xhr.getResponseHeader("Content-Type") || "";
  const text = xhr.responseText.trim();
  if (type.startsWith("text/plain") && text && text.length < 400 && xhr.status < 500) return text;
  if (type.includes("json")) {
    try {
      const problem = JSON.parse(text);
      if (problem.detail || problem.title) return String(problem.detail || problem.title);
    } catch {
      // not JSON after all: the general sentence will do
    }
  }
  return SENTENCES[xhr.status] || BROKEN;
}

document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, elt, boosted } = event.detail;
  if (xhr.status === 422 && isPage(xhr)) {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
    return;
  }
  // a whole page where a fragment was asked for: the session ended, or the address moved
  const whole = /^\s*<!doctype html/i.test(xhr.responseText.slice(0, 40));
  if (event.detail.shouldSwap && whole && !boosted && !elt.closest("[hx-select]")) {
    event.detail.shouldSwap = false;
    location.assign(xhr.responseURL || location.href);
  }
});

// in the part that came, after a dialog in it has opened and focused its own first field
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.xhr?.status === 422) event.target.querySelector?.("[aria-invalid=true]")?.focus();
});

document.addEventListener("htmx:responseError", (event) => {
  if (isPoll(event.detail.requestConfig)) return;
  showError(sentence(event.detail.xhr));
});

for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => {
    if (isPoll(event.detail.requestConfig)) return;
    showError(OFFLINE);
  });
}

htmx.config.timeout = 30_000;
