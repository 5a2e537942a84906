// Menus are <details class="menu">: they open without JavaScript. This closes them on Escape, on a press outside
// and when the focus leaves, and lets the arrow keys walk their items.
const MENU = "details.menu, details.more";
const ITEM = ":is(a, button, input, select, textarea, summary):not([disabled], [type=hidden])";

function close(menu, focus) {
  menu.open = false;
  if (focus) menu.querySelector("summary").focus();
}

function others(target) {
  return [...document.querySelectorAll(MENU)].filter((menu) => menu.open && !menu.contains(target));
}

document.addEventListener("pointerdown", (event) => others(event.target).forEach((menu) => close(menu)));
document.addEventListener("focusin", (event) => {
  // pressing a word in a menu focuses the nearest thing around it that can be focused, which may be the page itself
  const outside = others(event.target).filter((menu) => !event.target.contains(menu));
  outside.forEach((menu) => close(menu));
});

document.addEventListener("click", (event) => {
  const item = event.target.closest?.(`:is(${MENU}) .pop :is(a.it, button.it, [data-close-menu])`);
  // later, so that the item's own work finds it still in place
  if (item) setTimeout(() => close(item.closest(MENU)));
});

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.(MENU);
  if (!menu?.open) return;
  if (event.key === "Escape") {
    event.preventDefault();
    close(menu, true);
    return;
  }
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  if (event.altKey || event.target.matches("select, textarea, input:not([type=checkbox], [type=radio])")) return;
  const items = [...menu.querySelectorAll(`.pop ${ITEM}`)].filter((item) => item.checkVisibility());
  const at = items.indexOf(event.target);
  const next = event.key === "ArrowDown" ? at + 1 : at < 0 ? items.length - 1 : at - 1;
  items[(next + items.length) % items.length]?.focus();
  event.preventDefault();
});
