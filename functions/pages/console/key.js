// The API key: kept for this tab only; the user is asked for it when the API requires one.

import { byId, showMessage } from "./dom.js";

const NAME = "api-key";
const dialog = byId("key-dialog");
const input = byId("key");
let asking = null;

export const currentKey = () => sessionStorage.getItem(NAME) ?? "";

/**
 * Ask for a key; callers at the same time share one question.
 *
 * @param {string} refused the key that was not accepted, if there was one
 * @returns {Promise<boolean>} whether a key was given
 */
export function askForKey(refused = "") {
  asking ??= question(refused).finally(() => (asking = null));
  return asking;
}

function question(refused) {
  showMessage(byId("key-problem"), refused && "This key was not accepted. Check that it is complete, and that it belongs to this stack.");
  input.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "given"), { once: true });
  });
}

dialog.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault(); // the form is not submitted, so the page's policy need not allow it
  const key = input.value.trim();
  if (!key) return showMessage(byId("key-problem"), "Enter the key, or cancel.");
  sessionStorage.setItem(NAME, key);
  dialog.close("given");
});
byId("key-cancel").addEventListener("click", () => dialog.close());
