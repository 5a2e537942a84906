// data-confirm="sentence" on a form, button or link asks before it acts; only for what cannot be undone.
// data-confirm-verb names the button, data-confirm-type the text that must be typed first.
const agreed = new WeakSet();

function ask(element) {
  const verb = element.dataset.confirmVerb || element.textContent.trim() || "Continue";
  const typed = element.dataset.confirmType;
  const dialog = document.createElement("dialog");
  dialog.className = "dialog";
  dialog.setAttribute("role", "alertdialog");
  dialog.setAttribute("aria-labelledby", "confirm-words");
  const form = document.createElement("form");
  form.method = "dialog";
  form.className = "in";
  const words = document.createElement("p");
  words.id = "confirm-words";
  words.className = "md";
  words.textContent = element.dataset.confirm;
  form.append(words);
  const acts = document.createElement("div");
  acts.className = "acts";
  const cancel = Object.assign(document.createElement("button"), { className: "btn", textContent: "Cancel" });
  const yes = Object.assign(document.createElement("button"), { textContent: verb, value: "yes" });
  yes.className = element.matches(".danger, .danger-fill") ? "btn danger-fill" : "btn primary";
  if (typed) {
    const field = document.createElement("input");
    field.className = "input mt12";
    field.setAttribute("aria-label", `Type ${typed} to confirm`);
    field.placeholder = typed;
    yes.disabled = true;
    field.addEventListener("input", () => (yes.disabled = field.value.trim() !== typed));
    form.append(field);
  }
  acts.append(cancel, yes);
  form.append(acts);
  dialog.append(form);
  document.body.append(dialog);
  dialog.showModal();
  cancel.focus();
  return new Promise((answer) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      answer(dialog.returnValue === "yes");
    });
  });
}

document.addEventListener("htmx:confirm", (event) => {
  const asked = event.target.closest?.("[data-confirm]");
  if (!asked || agreed.has(asked)) return;
  event.preventDefault();
  ask(asked).then((yes) => yes && event.detail.issueRequest(true));
});

function hold(event, asked, again) {
  if (!asked || asked.matches("[hx-get], [hx-post], [hx-delete], [hx-put], [hx-patch]")) return;
  if (agreed.delete(asked)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  ask(asked).then((yes) => {
    if (!yes) return;
    agreed.add(asked);
    again();
  });
}

document.addEventListener(
  "submit",
  (event) => {
    const form = event.target;
    const submitter = event.submitter;
    const asked = submitter?.matches("[data-confirm]")
      ? submitter
      : form.matches("[data-confirm]")
        ? form
        : null;
    if (form.matches("[hx-post], [hx-delete], [hx-put], [hx-patch]") && asked === form) return;
    hold(event, asked, () => form.requestSubmit(submitter));
  },
  true,
);

document.addEventListener(
  "click",
  (event) => {
    const link = event.target.closest?.("a[data-confirm]");
    hold(event, link, () => link.click());
  },
  true,
);
