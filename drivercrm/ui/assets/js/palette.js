// The command palette: data-palette opens it (its link leads to the search page without JavaScript), typing asks the
// server, arrows choose among [role=option] links, Enter follows. The server answers groups of options:
//   <div role="group" aria-label="Drivers"><div class="h">Drivers</div>
//   <a class="it" role="option" href="…">…</a></div>
import { htmx } from "./page.js";

const palette = () => document.getElementById("palette");
const field = () => palette().querySelector("input");
const options = () => [...palette().querySelectorAll("[role=option]")];

function choose(option) {
  for (const other of options()) other.setAttribute("aria-selected", String(other === option));
  if (option) {
    option.id ||= `option-${options().indexOf(option)}`;
    field().setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  } else field().removeAttribute("aria-activedescendant");
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[data-palette]");
  if (!opener || !palette() || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  palette().showModal();
  field().select();
  if (!options().length || !field().value) htmx.trigger(field(), "palette:open");
});

document.addEventListener("keydown", (event) => {
  if (!palette()?.open || !palette().contains(event.target)) return;
  const list = options();
  const at = list.findIndex((option) => option.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const step = event.key === "ArrowDown" ? 1 : -1;
    choose(list[(at + step + list.length) % list.length]);
  } else if (event.key === "Enter" && event.target === field()) {
    event.preventDefault();
    (list[at] || list[0])?.click();
  }
});

document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target?.id !== "palette-results") return;
  for (const option of options()) option.tabIndex = -1;
  choose(options()[0]);
});
