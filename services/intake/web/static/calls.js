// Keeps a call as it is typed, through lost connections and beside colleagues, and lets the keyboard do all of it.
"use strict";

const PAUSE_MS = 400;
const RETRY_MS = 2000;
const PATIENCE_MS = 8000;
const KEYS_OFF = "advisor-keys-off";
const TYPED = "input:not([type=radio]):not([type=checkbox]), textarea, select";

const form = document.querySelector("form[data-call]");
const saving = document.getElementById("saving");
const main = document.getElementById("main");
const shelf = `call.${form.dataset.call}`;
const seqs = [...form.querySelectorAll("[data-seq]")];
const fields = seqs.map((input) => input.dataset.seq);
const seqOf = new Map(seqs.map((input) => [input.dataset.seq, input]));
const stored = new Map(fields.map((field) => [field, valueOf(field)]));
const unanswered = new Map();
let timer;
let isSending = false;
let isOver = false;
let submitter = null;

function control(field) {
  return form.elements[field];
}

function valueOf(field) {
  const found = control(field);
  if (found.type === "checkbox") return found.checked ? found.value : "";
  return found.value.trim().normalize();
}

function setValue(field, value) {
  const found = control(field);
  if (found.type === "checkbox") found.checked = value !== "";
  else if (found instanceof RadioNodeList) found.forEach((radio) => { radio.checked = radio.value === value; });
  else found.value = value;
}

function wordsOf(field) {
  const found = control(field);
  if (found instanceof RadioNodeList) {
    const chosen = [...found].find((radio) => radio.checked);
    return chosen ? chosen.closest("label").querySelector("span").textContent.trim() : "";
  }
  return found.selectedOptions ? found.selectedOptions[0].text : valueOf(field);
}

function changed() {
  return fields.filter((field) => valueOf(field) !== stored.get(field) || unanswered.has(field));
}

function tell(key) {
  if (saving.textContent !== saving.dataset[key]) saving.textContent = saving.dataset[key];
}

// What is typed and not yet stored also lies in the browser, so that closing the window loses nothing.

function shelve() {
  const kept = changed().map((field) => ({
    field,
    value: valueOf(field),
    seen: Number(seqOf.get(field).value),
    unanswered: unanswered.get(field) ?? [],
  }));
  if (kept.length) localStorage.setItem(shelf, JSON.stringify(kept));
  else localStorage.removeItem(shelf);
}

function unshelve() {
  for (const { field, value, seen, unanswered: sent } of JSON.parse(localStorage.getItem(shelf) ?? "[]")) {
    if (!seqOf.has(field) || value === stored.get(field)) continue;
    const isMine = seen === Number(seqOf.get(field).value) || sent.includes(stored.get(field));
    if (isMine) setValue(field, value);
    else settle(field, value, stored.get(field), wordsOf(field));
  }
}

// One request at a time, with all that has changed: each seq is then one above what was seen, so a reply never crosses
// a later answer, and what a colleague has written since is not overwritten. The reply brings what colleagues gave.

async function save() {
  clearTimeout(timer);
  shelve();
  const sending = changed();
  if (isSending || isOver || sending.length === 0) return;
  isSending = true;
  const entries = {};
  for (const field of sending) {
    entries[field] = { value: valueOf(field), seq: Number(seqOf.get(field).value) + 1 };
    unanswered.set(field, [...(unanswered.get(field) ?? []), valueOf(field)]);
  }
  tell("saving");
  const problem = await post(entries);
  isSending = false;
  shelve();
  if (problem) {
    tell(problem);
    isOver = problem === "gone";
    clearTimeout(timer);
    if (!isOver) timer = setTimeout(save, RETRY_MS);
  } else if (changed().length) {
    save();
  } else if (submitter) {
    form.requestSubmit(submitter);
  }
}

async function post(entries) {
  let response;
  try {
    response = await fetch(form.dataset.answers, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ entries }),
      redirect: "manual",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (response.type === "opaqueredirect" || response.status === 401 || response.status === 403) return "signedout";
    if (response.status >= 500) return "failed";
    if (!response.ok) return "gone";
    take(await response.json());
  } catch {
    return "failed";
  }
  return null;
}

function take(reply) {
  tell("saved");
  const before = new Map(stored);
  for (const [field, held] of Object.entries(reply.stored)) {
    if (!seqOf.has(field) || (!unanswered.has(field) && held.seq <= Number(seqOf.get(field).value))) continue;
    const isMine = (unanswered.get(field) ?? []).includes(held.value);
    const isUntouched = !unanswered.has(field) && valueOf(field) === before.get(field);
    unanswered.delete(field);
    const mine = valueOf(field);
    stored.set(field, held.value);
    seqOf.get(field).value = held.seq;
    if (isUntouched) setValue(field, held.value);
    else if (!isMine && held.value !== mine) settle(field, mine, held.value, held.words);
  }
  for (const [field, what] of Object.entries(reply.refused)) {
    unanswered.delete(field);
    stored.set(field, valueOf(field));
    note(field, saving.dataset.refused.replace("WHAT", () => what));
  }
  const moved = fields.filter((field) => before.get(field) !== stored.get(field));
  announce(moved);
}

function announce(moved) {
  if (moved.some((field) => document.getElementById(`question-${field.replace("how.", "")}`))) {
    document.body.dispatchEvent(new Event("answered"));
  }
  if (moved.some((field) => ["company_name", "contact_email"].includes(field))) {
    document.body.dispatchEvent(new Event("named"));
  }
}

// Two colleagues gave different things: of an answer the stored one stands and both are shown, of notes both are kept.

function settle(field, mine, theirs, words) {
  if (control(field).type === "textarea") {
    setValue(field, mine.includes(theirs) ? mine : [theirs, mine].filter(Boolean).join("\n"));
    note(field, saving.dataset.joined);
    return;
  }
  setValue(field, mine);
  const wordsOfMine = wordsOf(field);
  setValue(field, theirs);
  note(field, saving.dataset.changed.replace("THEIRS", () => words).replace("MINE", () => wordsOfMine));
}

function note(field, text) {
  const place = seqOf.get(field).parentElement;
  place.querySelectorAll("[role=alert]").forEach((earlier) => earlier.remove());
  const told = document.createElement("p");
  told.className = "field-error";
  told.setAttribute("role", "alert");
  told.textContent = text;
  place.append(told);
}

form.addEventListener("change", save);

form.addEventListener("input", () => {
  shelve();
  clearTimeout(timer);
  timer = setTimeout(save, PAUSE_MS);
});

addEventListener("online", save);

form.addEventListener("submit", (event) => {
  if (isOver || (changed().length === 0 && !isSending)) return;
  event.preventDefault();
  submitter = event.submitter;
  save();
});

// The figures ask again by themselves when the line to them is cut, and say so meanwhile.

document.body.addEventListener("htmx:sendError", askAgain);
document.body.addEventListener("htmx:timeout", askAgain);
document.body.addEventListener("htmx:responseError", askAgain);

function askAgain() {
  tell("failed");
  setTimeout(() => document.body.dispatchEvent(new Event("answered")), RETRY_MS);
}

// Keys. They act while the focus is in the page's content and nothing is being typed; keys.js shows them and turns them off.

const questions = [...form.querySelectorAll(".asking")];

function here() {
  return document.activeElement.closest(".asking");
}

function goTo(question) {
  if (!question) return;
  question.focus({ preventScroll: true });
  question.scrollIntoView({ block: "center" });
}

function step(by) {
  const at = questions.indexOf(here());
  goTo(at < 0 ? questions[0] : questions[at + by]);
}

function choose(digit) {
  const inputs = [...(here()?.querySelectorAll("input[type=radio]") ?? [])];
  const chosen = digit === 0 ? inputs.at(-1) : inputs.slice(0, -1)[digit - 1];
  if (!chosen) return;
  chosen.checked = true;
  here().focus({ preventScroll: true });
  save();
}

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  i: () => here()?.querySelector("input[type=checkbox]").click(),
  n: () => here()?.querySelector("textarea").focus(),
  g: () => goTo(document.querySelector(document.getElementById("next-question")?.hash ?? "none")),
};

main.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("dialog")) return;
  const isTyping = event.target.matches(TYPED);
  if (event.key === "Escape" && isTyping) goTo(here());
  const act = /^[0-9]$/.test(event.key) ? () => choose(Number(event.key)) : KEYS[event.key];
  if (isTyping || !act || localStorage.getItem(KEYS_OFF) !== null || (event.key.startsWith("Arrow") && event.target.type === "radio")) return;
  event.preventDefault();
  act();
});

document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#question-"]');
  if (!link) return;
  event.preventDefault();
  goTo(document.querySelector(link.hash));
});

unshelve();
tell("ready");
save();
if (document.activeElement === document.body) main.focus({ preventScroll: true });
