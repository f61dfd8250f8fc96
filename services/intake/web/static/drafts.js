// Saves each answer as it is given, and shows what another window has saved instead. Without it the form's buttons save.
"use strict";

const PAUSE_MS = 500;
const RETRY_MS = 3000;
const PATIENCE_MS = 8000;

const form = document.querySelector("form[data-answers]");
const saving = document.getElementById("saving");
const fields = [...form.querySelectorAll("[data-seq]")].map((input) => input.dataset.seq);
// What is being typed while this loads counts as given; what a browser brings back by itself does not.
const stored = new Map(fields.map((field) => [field, isBeingGiven(field) ? null : valueOf(field)]));
const unanswered = new Map();
const underWay = new Map();
let timer;

function seqOf(field) {
  return form.elements[`seq.${field}`];
}

function valueOf(field) {
  return form.elements[field].value.trim().normalize();
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

function isChanged(field) {
  return valueOf(field) !== stored.get(field) || unanswered.has(field);
}

function saveChanged() {
  clearTimeout(timer);
  fields.filter(isChanged).forEach(save);
}

// One save of a field at a time, with a seq one above what was seen: a reply never crosses a later answer, and what
// another window has saved since is not overwritten.

function save(field) {
  if (underWay.has(field)) return;
  const attempt = send(field, valueOf(field)).then((isAnswered) => {
    underWay.delete(field);
    if (!isChanged(field)) return;
    if (isAnswered) {
      save(field);
    } else {
      clearTimeout(timer);
      timer = setTimeout(saveChanged, RETRY_MS);
    }
  });
  underWay.set(field, attempt);
}

async function send(field, value) {
  unanswered.set(field, [...(unanswered.get(field) ?? []), value]);
  let response;
  try {
    response = await fetch(form.dataset.answers, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ field, value, seq: Number(seqOf(field).value) + 1 }),
      keepalive: true,
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (response.ok) take(field, value, await response.json());
  } catch {
    response = { ok: false, status: 503 };
  }
  if (response.ok) return true;
  if (response.status >= 500) {
    tell("failed");
    return false;
  }
  unanswered.delete(field);
  stored.set(field, value);
  tell("refused");
  return true;
}

function take(field, value, reply) {
  const isMine = reply.taken || unanswered.get(field).includes(reply.value);
  unanswered.delete(field);
  stored.set(field, reply.taken ? value : reply.value);
  seqOf(field).value = reply.seq;
  tell([...unanswered.keys()].some((other) => !underWay.has(other)) ? "failed" : "saved");
  if (!isMine && reply.value !== valueOf(field)) show(field, reply.value);
}

function show(field, value) {
  const mine = wordsOf(field);
  form.elements[field].value = value;
  const note = document.createElement("p");
  note.className = "field-error";
  note.setAttribute("role", "alert");
  note.textContent = saving.dataset.changed.replace("THEIRS", () => wordsOf(field)).replace("MINE", () => mine);
  const place = seqOf(field).parentElement;
  place.querySelectorAll("[role=alert]").forEach((earlier) => earlier.remove());
  place.append(note);
}

tell("ready");
saveChanged();

if (form.dataset.opened) fetch(form.dataset.opened, { method: "POST", keepalive: true });

form.addEventListener("change", saveChanged);

form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(saveChanged, PAUSE_MS);
});

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") saveChanged();
});

form.addEventListener("submit", (event) => {
  if (underWay.size === 0) return;
  event.preventDefault();
  Promise.all(underWay.values()).then(() => form.requestSubmit(event.submitter));
});
