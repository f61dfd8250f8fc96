// Saves each answer as it is given, and shows what another window has saved instead. Without it the form's buttons save.
"use strict";

const PAUSE_MS = 500;
const RETRY_MS = 3000;
const PATIENCE_MS = 8000;

const form = document.querySelector("form[data-answers]");
const saving = document.getElementById("saving");
const fields = [...form.querySelectorAll("[data-seq]")].map((input) => input.dataset.seq);
// What is being typed while this loads counts as given; what a browser brings back by itself does not.
const known = new Map(fields.map((field) => [field, isBeingGiven(field) ? null : valueOf(field)]));
const sent = new Map();
const pending = new Set();
const failing = new Set();
let pause;

function seqOf(field) {
  return form.elements[`seq.${field}`];
}

function valueOf(field) {
  return form.elements[field].value;
}

function isBeingGiven(field) {
  const control = document.activeElement;
  if (control === null || control.name !== field) return false;
  return control.type === "radio" ? control.checked && !control.defaultChecked : control.value !== control.defaultValue;
}

function wordsOf(field) {
  const control = form.querySelector(`[name="${field}"]:is(:checked, select, input:not([type="radio"]))`);
  if (control === null) return "";
  if (control.type === "radio") return control.closest("label").textContent.trim();
  return control.selectedOptions ? control.selectedOptions[0].text : control.value;
}

function tell(key) {
  if (saving.textContent !== saving.dataset[key]) saving.textContent = saving.dataset[key];
}

function saveChanged() {
  clearTimeout(pause);
  fields.filter((field) => valueOf(field) !== known.get(field)).forEach(save);
}

function save(field) {
  const value = valueOf(field);
  const seq = Math.max(Number(seqOf(field).value), sent.get(field) ?? 0) + 1;
  known.set(field, value);
  sent.set(field, seq);
  const attempt = send(field, value, seq).finally(() => pending.delete(attempt));
  pending.add(attempt);
}

async function send(field, value, seq) {
  let response;
  try {
    response = await fetch(form.dataset.answers, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ field, value, seq }),
      keepalive: true,
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch {
    response = { ok: false, status: 503 };
  }
  if (response.ok) {
    take(field, value, seq, await response.json());
  } else if (response.status >= 500) {
    failing.add(field);
    tell("failed");
    setTimeout(() => sent.get(field) === seq && save(field), RETRY_MS);
  } else {
    tell("refused");
  }
}

function take(field, value, seq, stored) {
  if (stored.seq > Number(seqOf(field).value)) seqOf(field).value = stored.seq;
  if (sent.get(field) !== seq) return;
  failing.delete(field);
  tell(failing.size ? "failed" : "saved");
  if (!stored.taken && stored.value !== value) show(field, stored.value, valueOf(field) === value);
}

function show(field, value, isUntouched) {
  const mine = wordsOf(field);
  if (isUntouched) {
    form.elements[field].value = value;
    known.set(field, value);
  }
  const note = document.createElement("p");
  note.className = "field-error";
  note.setAttribute("role", "alert");
  note.textContent = saving.dataset.changed
    .replace("THEIRS", () => (isUntouched ? wordsOf(field) : value))
    .replace("MINE", () => mine);
  const place = seqOf(field).parentElement;
  place.querySelectorAll("[role=alert]").forEach((earlier) => earlier.remove());
  place.append(note);
}

tell("ready");
saveChanged();

if (form.dataset.opened) fetch(form.dataset.opened, { method: "POST", keepalive: true });

form.addEventListener("change", saveChanged);

form.addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(saveChanged, PAUSE_MS);
});

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") saveChanged();
});

form.addEventListener("submit", (event) => {
  if (pending.size === 0) return;
  event.preventDefault();
  Promise.allSettled(pending).then(() => form.requestSubmit(event.submitter));
});
