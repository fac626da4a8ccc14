// Settings of this browser: the key until the tab is closed; zone and target until they are changed.

import { byId, element, showMessage } from "./dom.js";

const KEY = "api-key";
const ZONE = "zone";
const TARGET = "target-percent";

const dialog = byId("settings-dialog");
const form = dialog.querySelector("form");
const { key, zone, target } = form.elements;
let asking = null;
let isDeclined = false; // the user cancelled the dialog for a key: do not open it again by itself

export const currentKey = () => sessionStorage.getItem(KEY) ?? "";

/** The zone that instants are shown in; a store's own times are in the store's zone. */
export const displayZone = () => localStorage.getItem(ZONE) ?? "UTC";

/** The target of stores without one of their own, as text; empty: the stack's. */
export const targetPercent = () => localStorage.getItem(TARGET) ?? "";

/**
 * Ask for a key; concurrent callers share one dialog. After it was cancelled, no key is asked for
 * until the user opens the settings: lists that refresh themselves would open it again and again.
 *
 * @param {string} refused the key that was not accepted, if there was one
 * @returns {Promise<boolean>} whether a key was given
 */
export function askForKey(refused = "") {
  if (isDeclined) return Promise.resolve(false);
  asking ??= changed(refused ? "This key was not accepted. Check that it is complete, and that it belongs to this stack." : "The API requires a key.")
    .then((isChanged) => isChanged && currentKey() !== "")
    .then((isGiven) => {
      isDeclined = !isGiven;
      return isGiven;
    })
    .finally(() => (asking = null));
  return asking;
}

/**
 * Let the user change the settings.
 *
 * @param {string} [keyProblem] what is wrong with the key
 * @returns {Promise<boolean>} whether the user has saved them
 */
export function changed(keyProblem = "") {
  if (!byId("zones").childElementCount) {
    byId("zones").append(...["UTC", ...Intl.supportedValuesOf("timeZone")].map((value) => element("option", { value })));
  }
  isDeclined = false;
  key.value = currentKey();
  zone.value = displayZone();
  target.value = targetPercent();
  showProblems({ key: keyProblem });
  dialog.returnValue = "";
  dialog.showModal();
  key.select(); // so that another one replaces it
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "saved"), { once: true });
  });
}

function save(event) {
  event.preventDefault(); // the form is not submitted, so the page's policy need not allow it
  const problems = {
    zone: isZone(zone.value.trim()) ? "" : "There is no such zone. Zones have names such as America/Chicago.",
    target: isTarget() ? "" : "A target is above 0 and at most 100, with four decimals at most, such as 99.5.",
  };
  showProblems(problems);
  if (Object.values(problems).some(Boolean)) return;
  store(sessionStorage, KEY, key.value.trim());
  store(localStorage, ZONE, zone.value.trim());
  store(localStorage, TARGET, target.value);
  dialog.close("saved");
}

function store(storage, name, value) {
  if (value) storage.setItem(name, value);
  else storage.removeItem(name);
}

function showProblems({ key: ofKey = "", zone: ofZone = "", target: ofTarget = "" }) {
  for (const [field, message] of [[key, ofKey], [zone, ofZone], [target, ofTarget]]) {
    showMessage(byId(`${field.id}-problem`), message);
    field.setAttribute("aria-invalid", String(message !== ""));
  }
}

function isZone(name) {
  if (!name) return true;
  try {
    return Boolean(new Intl.DateTimeFormat("en-GB", { timeZone: name }));
  } catch {
    return false;
  }
}

/** Whether the target is empty or valid: the field's attributes say what is. */
const isTarget = () => target.validity.valid && !(Number(target.value) <= 0 && target.value);

form.addEventListener("submit", save);
byId("settings-cancel").addEventListener("click", () => dialog.close());
