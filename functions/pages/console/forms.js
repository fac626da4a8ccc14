// What all forms share: problems beside their fields, and a draft that is kept over a reload.

import { messageOf } from "./api.js";
import { showMessage } from "./dom.js";
import { sentence } from "./texts.js";

/**
 * Show what is wrong, each message beside its field; the first such field gets the focus.
 *
 * @param {HTMLFormElement} form has an element with data-problem-of="NAME" for each field;
 *   the one of "" is for problems of the form as a whole
 * @param {Object<string, string>} problems messages by the field's name
 */
export function showProblems(form, problems) {
  for (const place of form.querySelectorAll("[data-problem-of]")) {
    const name = place.dataset.problemOf;
    showMessage(place, problems[name]);
    if (!name) continue;
    for (const field of form.querySelectorAll(`[name="${name}"]`)) {
      field.setAttribute("aria-invalid", String(Boolean(problems[name])));
    }
  }
  const first = form.querySelector('[aria-invalid="true"]');
  if (!first) return;
  const closed = first.closest("details:not([open])");
  if (closed) closed.open = true;
  first.focus();
}

/** Problems of fields that are incomplete or malformed; the browser reports their value as empty. */
export function badInputs(form) {
  const fields = [...form.elements].filter(({ validity }) => validity?.badInput);
  return Object.fromEntries(
    fields.map(({ name, type }) => [
      name,
      type === "number" ? "This is not a number." : "Complete the date and time, or clear the field.",
    ]),
  );
}

/**
 * The problems of a form, from an error of the API.
 *
 * @param {HTMLFormElement} form
 * @param {Error} error
 * @param {Object<string, string>} names of the form's fields, by those of the API, where they differ
 */
export function problemsOf(form, error, names = {}) {
  const message = messageOf(error);
  const name = names[error.field] ?? error.field;
  if (!name || !form.querySelector(`[data-problem-of="${name}"]`)) return { "": message };
  return { [name]: sentence(error.message.replace(`${error.field}: `, "")) };
}

/**
 * Keep what is typed into a form for this tab, and fill it in again after a reload. Details with
 * something that was typed are opened, so that it is seen.
 *
 * @param {HTMLFormElement} form
 * @param {string} [name] of the draft
 */
export function keepDraft(form, name = form.id) {
  const key = keyOf(name);
  const draft = JSON.parse(sessionStorage.getItem(key) ?? "{}");
  for (const [name, field] of fieldsOf(form)) {
    if (!(name in draft) || draft[name] === valueOf(field)) continue;
    if (isChoice(field)) field.checked = draft[name];
    else field.value = draft[name];
    field.closest("details")?.setAttribute("open", "");
  }
  form.addEventListener("input", () => {
    const values = fieldsOf(form).map(([name, field]) => [name, valueOf(field)]);
    sessionStorage.setItem(key, JSON.stringify(Object.fromEntries(values)));
  });
}

/** Delete a draft. */
export const dropDraft = (name) => sessionStorage.removeItem(keyOf(name));

const keyOf = (name) => `draft-${name}`;
const valueOf = (field) => (isChoice(field) ? field.checked : field.value);

/** The fields, each with a name that no other has: boxes that share a name differ by value. */
function fieldsOf(form) {
  return [...form.elements]
    .filter(({ name }) => name)
    .map((field) => [isChoice(field) ? `${field.name}=${field.value}` : field.name, field]);
}

const isChoice = ({ type }) => type === "checkbox" || type === "radio";
