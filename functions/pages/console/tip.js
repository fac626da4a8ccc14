// The tip over a drawing: it stays while it is read, by pointer or by touch.

import { byId } from "./dom.js";

const MARGIN_PIXELS = 8;
const GRACE_MS = 300; // to move the pointer onto the tip

const tip = byId("tip");
let hiding = 0;
let onHide = () => {};

/**
 * Show a tip above a drawing.
 *
 * @param {string} text
 * @param {Element} mark what the tip is about
 * @param {Element} drawing
 * @param {() => void} hidden called when the tip goes
 */
export function showTip(text, mark, drawing, hidden) {
  hideTip();
  onHide = hidden;
  tip.textContent = text;
  tip.hidden = false;
  const box = mark.getBoundingClientRect();
  const left = box.left + (box.width - tip.offsetWidth) / 2;
  const rightmost = document.documentElement.clientWidth - tip.offsetWidth - MARGIN_PIXELS;
  tip.style.left = `${Math.max(MARGIN_PIXELS, Math.min(left, rightmost))}px`;
  const top = drawing.getBoundingClientRect().top - tip.offsetHeight - MARGIN_PIXELS;
  tip.style.top = `${Math.max(MARGIN_PIXELS, top)}px`;
}

export function hideTip() {
  clearTimeout(hiding);
  tip.hidden = true;
  onHide();
  onHide = () => {};
}

/** Hide the tip, unless the pointer reaches it first. */
export function hideTipSoon() {
  clearTimeout(hiding);
  hiding = setTimeout(hideTip, GRACE_MS);
}

/** Keep a tip that was about to hide: the pointer is back. */
export const keepTip = () => clearTimeout(hiding);

tip.addEventListener("pointerenter", keepTip);
tip.addEventListener("pointerleave", ({ pointerType }) => {
  if (pointerType !== "touch") hideTipSoon(); // a finger that is lifted has left, too
});
tip.addEventListener("mousedown", (event) => event.preventDefault()); // the drawing keeps the focus
addEventListener("scroll", hideTip, { passive: true });
addEventListener("hashchange", hideTip);
addEventListener("pointerdown", ({ target }) => {
  if (target !== tip) hideTip();
}, { capture: true });
