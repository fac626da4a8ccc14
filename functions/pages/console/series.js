// A series of percentages: one bar for each window of time.

import { element } from "./dom.js";
import { hideTipSoon, showTip } from "./tip.js";

/**
 * Draw a series: bars are green up to the percentage, the rest is red; without data, only dotted.
 *
 * @param {string} label what it shows, and where the numbers are; for screen readers
 * @param {{percent: number|null, text: string}[]} windows `text` is the tip
 */
export function series(label, windows) {
  const chart = element("div", { class: "series", role: "img", "aria-label": label });
  for (const { percent, text } of windows) {
    const bar = element("span", { class: percent === null ? "bar-none" : "bar-known" });
    bar.style.setProperty("--up", `${percent ?? 0}%`);
    const show = () => showTip(text, bar, chart, () => {});
    bar.addEventListener("pointerenter", show);
    bar.addEventListener("pointerdown", show);
    chart.append(bar);
  }
  chart.addEventListener("pointerleave", ({ pointerType }) => {
    if (pointerType !== "touch") hideTipSoon(); // a finger that is lifted has left, too
  });
  return chart;
}
