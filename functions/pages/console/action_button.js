// A button that calls the API.

import { messageOf } from "./api.js";
import { busy, element, showMessage } from "./dom.js";

/** A button that calls the API, and says in `problem` why that failed. */
export function actionButton(text, problem, work, attributes = {}) {
  const pressed = async ({ currentTarget: button }) => {
    showMessage(problem);
    await busy(button, work).catch((error) => showMessage(problem, messageOf(error)));
  };
  return element("button", { type: "button", click: pressed, ...attributes }, text);
}
