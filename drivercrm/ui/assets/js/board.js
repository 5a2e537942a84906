// Cards move between columns by pointer, by keyboard (Space lifts, arrows choose, Space drops, Escape gives up) or
// by the card's own “Move to” menu (M), which is a form and needs no JavaScript.
//
//   [data-board data-target="#board" data-swap="outerHTML"]
//     [data-column data-status="invited" data-drop="Drop to mark Invited"]   with an <ol> or [data-cards]
//       [data-card id data-name data-move-url data-allowed="contacted opted_out"]   with .grip and details.menu
//
// A drop POSTs `status` to data-move-url. `data-allowed`, where given, names the columns a card may go to.
// A drop announces itself first as a cancelable event `board:drop` {card, status}.
import { announce, htmx, lettersMayAct } from "./page.js";

const FAR_ENOUGH = 5;
let held = null;
let moved = null;
const cameFrom = new WeakMap();

const columnsOf = (board) => [...board.querySelectorAll("[data-column]")];
const listOf = (column) => column.querySelector("[data-cards]") || column.querySelector("ol, ul");
const nameOf = (card) => card.dataset.name || card.querySelector(".nm")?.textContent.trim() || "Card";
const titleOf = (column) => column.getAttribute("aria-label")?.split(",")[0] || column.dataset.status;

function mayTake(column, card) {
  if (column === card.closest("[data-column]")) return false;
  const allowed = card.dataset.allowed;
  return allowed === undefined || allowed.split(" ").includes(column.dataset.status);
}

function slotIn(column) {
  let slot = document.querySelector(".kslot");
  if (!slot) {
    slot = document.createElement("li");
    slot.className = "kslot";
    slot.setAttribute("aria-hidden", "true");
  }
  const [first, ...rest] = (column.dataset.drop || `Move to ${titleOf(column)}`).split("|");
  slot.replaceChildren(Object.assign(document.createElement("b"), { textContent: first.trim() }));
  if (rest.length) slot.append(document.createElement("br"), rest.join("|").trim());
  const list = listOf(column);
  if (list) list.prepend(slot);
  else column.append(slot);
}

function aim(column) {
  if (held.over === column) return;
  held.over?.classList.remove("is-over");
  held.over = column;
  if (column) {
    column.classList.add("is-over");
    slotIn(column);
    column.scrollIntoView({ block: "nearest", inline: "nearest" });
  } else document.querySelector(".kslot")?.remove();
}

function lift(card, byKeyboard) {
  const board = card.closest("[data-board]");
  held = { card, board, byKeyboard, over: null, ghost: null };
  card.classList.add("ghost");
  for (const column of columnsOf(board)) column.classList.toggle("is-shut", !mayTake(column, card));
}

function letGo() {
  if (!held) return;
  aim(null);
  held.card.classList.remove("ghost");
  held.ghost?.remove();
  for (const column of columnsOf(held.board)) column.classList.remove("is-shut");
  held = null;
}

function drop() {
  const { card, board, over } = held;
  letGo();
  if (!over) return announce(`${nameOf(card)} stays in ${titleOf(card.closest("[data-column]"))}`);
  const status = over.dataset.status;
  const news = new CustomEvent("board:drop", { bubbles: true, cancelable: true, detail: { card, status } });
  if (!card.dispatchEvent(news)) return;
  moved = card.id;
  cameFrom.set(card, { list: card.parentElement, before: card.nextElementSibling });
  listOf(over)?.prepend(card);
  announce(`${nameOf(card)} moved to ${titleOf(over)}`);
  const home = { target: board.dataset.target || board, swap: board.dataset.swap || "none" };
  htmx.ajax("POST", card.dataset.moveUrl, { source: card, values: { status }, ...home });
}

// -- pointer: the grip starts at once, the card itself after a small way (mouse only, so that a finger can scroll)
let press = null;

document.addEventListener("pointerdown", (event) => {
  const card = event.target.closest?.("[data-board] [data-card]");
  if (!card || event.button !== 0 || event.target.closest("details, button, input, select")) return;
  const grip = event.target.closest(".grip");
  if (!grip && event.pointerType !== "mouse") return;
  if (grip) event.preventDefault();
  press = { card, x: event.clientX, y: event.clientY, id: event.pointerId };
});

document.addEventListener("pointermove", (event) => {
  if (!press || event.pointerId !== press.id) return;
  if (!held) {
    if (Math.hypot(event.clientX - press.x, event.clientY - press.y) < FAR_ENOUGH) return;
    const box = press.card.getBoundingClientRect();
    const ghost = press.card.cloneNode(true);
    ghost.removeAttribute("id");
    ghost.setAttribute("aria-hidden", "true");
    ghost.classList.add("kdrag");
    ghost.style.width = `${box.width}px`;
    lift(press.card, false);
    held.ghost = ghost;
    held.dx = press.x - box.left;
    held.dy = press.y - box.top;
    document.body.append(ghost);
    document.documentElement.classList.add("is-dragging");
  }
  held.ghost.style.left = `${event.clientX - held.dx}px`;
  held.ghost.style.top = `${event.clientY - held.dy}px`;
  const column = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-column]");
  aim(column && held.board.contains(column) && mayTake(column, held.card) ? column : null);
  const edge = held.board.getBoundingClientRect();
  if (event.clientX > edge.right - 40) held.board.scrollBy({ left: 16 });
  if (event.clientX < edge.left + 40) held.board.scrollBy({ left: -16 });
});

for (const name of ["pointerup", "pointercancel"]) {
  document.addEventListener(name, () => {
    press = null;
    document.documentElement.classList.remove("is-dragging");
    if (!held || held.byKeyboard) return;
    // the click that ends a drag opens nothing
    addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", swallow, { capture: true }));
    if (name === "pointerup") drop();
    else letGo();
  });
}

function swallow(event) {
  event.preventDefault();
  event.stopPropagation();
}

document.addEventListener("dragstart", (event) => {
  if (event.target.closest?.("[data-board] [data-card]")) event.preventDefault();
});

// -- keyboard
function neighbour(card, key) {
  const column = card.closest("[data-column]");
  const cards = [...column.querySelectorAll("[data-card]")];
  if (key === "ArrowDown") return cards[cards.indexOf(card) + 1];
  if (key === "ArrowUp") return cards[cards.indexOf(card) - 1];
  const columns = columnsOf(card.closest("[data-board]"));
  const step = key === "ArrowRight" ? 1 : -1;
  for (let i = columns.indexOf(column) + step; columns[i]; i += step) {
    const there = [...columns[i].querySelectorAll("[data-card]")];
    if (there.length) return there[Math.min(cards.indexOf(card), there.length - 1)];
  }
  return null;
}

function focusCard(card) {
  for (const other of card.closest("[data-board]").querySelectorAll("[data-card][tabindex='0']"))
    other.tabIndex = -1;
  card.tabIndex = 0;
  card.focus();
  card.scrollIntoView({ block: "nearest", inline: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented) return;
  if (held?.byKeyboard) {
    const open = columnsOf(held.board).filter((column) => mayTake(column, held.card));
    const order = columnsOf(held.board);
    const from = order.indexOf(held.over || held.card.closest("[data-column]"));
    if (event.key === "Escape") {
      const card = held.card;
      letGo();
      announce(`${nameOf(card)} put back`);
    } else if (event.key === " " || event.key === "Enter") drop();
    else if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      const right = event.key === "ArrowRight";
      const next = right
        ? open.find((column) => order.indexOf(column) > from)
        : open.findLast((column) => order.indexOf(column) < from);
      if (next) {
        aim(next);
        announce(`Over ${titleOf(next)}`);
      }
    } else if (event.key === "Tab") letGo();
    if (event.key !== "Tab") event.preventDefault();
    return;
  }
  const card = event.target.closest?.("[data-board] [data-card]");
  if (!card || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === card) {
    if (event.key === " ") {
      event.preventDefault();
      lift(card, true);
      const here = titleOf(card.closest("[data-column]"));
      announce(
        `${nameOf(card)} lifted from ${here}. Left and right choose a column, Space drops, Escape gives up.`,
      );
      return;
    }
    if (event.key.startsWith("Arrow")) {
      event.preventDefault();
      const next = neighbour(card, event.key);
      if (next) focusCard(next);
      return;
    }
    if (event.key === "Enter") {
      event.preventDefault();
      card.querySelector("a[href]")?.click();
      return;
    }
  }
  if (event.key.toLowerCase() === "m" && lettersMayAct(event)) {
    const menu = card.querySelector("details.menu");
    if (!menu) return;
    event.preventDefault();
    menu.open = true;
    menu.querySelector(".pop :is(button, select, input:not([type=hidden]))")?.focus();
  }
});

document.addEventListener("focusin", (event) => {
  const card = event.target;
  if (!card.matches?.("[data-board] [data-card]") || card.tabIndex === 0) return;
  focusCard(card);
});

htmx.onLoad(() => {
  for (const board of document.querySelectorAll("[data-board]")) {
    const cards = [...board.querySelectorAll("[data-card]")];
    if (!cards.length || cards.some((card) => card.tabIndex === 0)) continue;
    for (const card of cards) card.tabIndex = -1;
    cards[0].tabIndex = 0;
  }
});

// the answer may draw the board anew: the moved card keeps the focus
document.addEventListener("htmx:afterSettle", () => {
  const card = moved && document.getElementById(moved);
  moved = null;
  if (card?.matches("[data-card]")) focusCard(card);
});

// a refused move puts the card back where it was; errors.js says why
for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => {
    const card = event.detail.elt;
    const home = cameFrom.get(card);
    if (!home?.list.isConnected) return;
    home.list.insertBefore(card, home.before?.parentElement === home.list ? home.before : null);
    focusCard(card);
  });
}
