// Single keys for staff: those that elements name in data-key, j and k through the rows of a list, and ? to show them.
"use strict";

const OFF = "advisor-keys-off";
const dialog = document.getElementById("keys");
const switching = dialog.querySelector("[data-keys-switch]");
const rows = [...document.querySelectorAll("[data-walk]")];

function areOff() {
  return localStorage.getItem(OFF) !== null;
}

function label() {
  switching.textContent = areOff() ? dialog.dataset.off : dialog.dataset.on;
}

function walk(step) {
  const at = rows.indexOf(document.activeElement);
  const next = at === -1 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + step, 0), rows.length - 1);
  rows[next].focus();
}

// A link is followed, what is folded opens; a button only gets the focus, so that nothing is decided by one key.
function use(element) {
  element.focus();
  if (element.matches("a")) element.click();
  if (element.matches("summary") && !element.parentElement.open) element.click();
}

function isTyping(element) {
  return element.closest("input, textarea, select, [contenteditable]") !== null;
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (event.key === "?") {
    event.preventDefault();
    dialog.showModal();
    return;
  }
  if (dialog.open || areOff()) return;
  if ((event.key === "j" || event.key === "k") && rows.length) {
    event.preventDefault();
    walk(event.key === "j" ? 1 : -1);
    return;
  }
  const found = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (found === null) return;
  event.preventDefault();
  use(found);
});

document.querySelector(".keys-hint").hidden = false;
document.querySelector("[data-keys-open]").addEventListener("click", () => dialog.showModal());
dialog.querySelector("[data-keys-close]").addEventListener("click", () => dialog.close());

switching.addEventListener("click", () => {
  if (areOff()) localStorage.removeItem(OFF);
  else localStorage.setItem(OFF, "yes");
  label();
});

label();
