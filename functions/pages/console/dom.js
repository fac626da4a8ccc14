// Create elements from data: always as text, never as markup.

export const byId = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...present(children));
  return node;
}

const present = (children) => children.filter((child) => child != null && child !== false);

/**
 * Create an element.
 *
 * @param {string} name
 * @param {object} attributes listeners, too: values that are functions
 * @param {...(Node|string|null|false)} children null and false are left out
 */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** Create an SVG element, as `element` does. */
export function svgElement(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

/**
 * Replace the children of an element. The focus stays on the control with the same name or, without
 * one, moves to the element itself, so that the next Tab goes on from there.
 *
 * @param {Element} parent
 * @param {(Node|string|null|false)[]} children
 */
export function refill(parent, children) {
  const focused = document.activeElement;
  const hadFocus = parent !== focused && parent.contains(focused);
  parent.replaceChildren(...present(children));
  if (!hadFocus) return;
  const controls = [...parent.querySelectorAll("a, button, input, select, summary, [tabindex]")];
  const same = controls.find((control) => nameOf(control) === nameOf(focused));
  if (same) same.focus({ preventScroll: true });
  else focusOn(parent);
}

/** Move the focus to an element that is not a control: the next Tab goes on from there. */
export function focusOn(node) {
  node.tabIndex = -1;
  node.focus({ preventScroll: true });
}

const nameOf = (control) =>
  `${control.tagName} ${control.getAttribute("aria-label") ?? control.name ?? ""} ${control.textContent}`;

/** Show a message in an element; hide the element without a message. */
export function showMessage(node, message = "") {
  node.textContent = message;
  node.hidden = !message;
}

/** A paragraph about a problem, which screen readers announce; hidden until it has a message. */
export const problemText = (message = "") =>
  element("p", { class: "problem", role: "alert", hidden: !message }, message);

/** Announce a message to screen readers. */
export function announce(message) {
  byId("announcer").textContent = message;
}

/** Run the action of a button, unless it is running. With `disabled`, the button would lose the focus. */
export async function busy(button, work) {
  if (button.ariaDisabled === "true") return;
  button.ariaDisabled = "true";
  try {
    await work();
  } finally {
    button.ariaDisabled = "false";
  }
}

/**
 * Wait; an aborted signal ends the wait.
 *
 * @param {number} milliseconds
 * @param {AbortSignal} [signal]
 */
export function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
