// data-copy="text" copies it; data-reveal="id" shows or hides a password.
import { announce } from "./page.js";

document.addEventListener("click", async (event) => {
  const source = event.target.closest?.("[data-copy]");
  if (source) {
    try {
      await navigator.clipboard.writeText(source.dataset.copy);
      announce("Copied");
      source.classList.add("on");
      setTimeout(() => source.classList.remove("on"), 1200);
    } catch {
      announce("The browser did not allow copying");
    }
  }
  const eye = event.target.closest?.("[data-reveal]");
  const field = eye && document.getElementById(eye.dataset.reveal);
  if (field) {
    field.type = field.type === "password" ? "text" : "password";
    eye.setAttribute("aria-pressed", String(field.type === "text"));
  }
});
