// Light or dark: applied at once, kept in a cookie for the next page, and stored with the account when the
// form names an address. Without JavaScript the form itself is sent.
const root = document.documentElement;

function current() {
  return root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-theme-form]")) return;
  event.preventDefault();
  const theme = current() === "dark" ? "light" : "dark";
  root.dataset.theme = theme;
  document.cookie = `theme=${theme}; path=/; max-age=31536000; samesite=lax`;
  const address = form.getAttribute("action");
  if (!address) return;
  const body = new FormData(form);
  body.set("theme", theme);
  // the cookie already holds the choice, so a failure here costs nothing
  fetch(address, { method: "POST", body, headers: { "HX-Request": "true" } }).catch(() => {});
});
