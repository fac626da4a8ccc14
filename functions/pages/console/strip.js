// The strip of a week: one row per local day, drawn to scale; tooltips by pointer and by arrow keys.

import { element, svgElement } from "./dom.js";
import { length } from "./texts.js";
import { hideTip, hideTipSoon, keepTip, showTip } from "./tip.js";

const DAY = 86_400_000;
const MINUTE = 60_000;
const TICKS = [0, 6, 12, 18, 24];
const NEAR_PIXELS = 5;
// In SVG units: a row is 40 units high; horizontally, one unit is a minute.
const BAND = { up: [2, 24], down: [14, 12], "no-data": [8, 12], closed: [25, 1] };
const POLL = { active: [30, 8], inactive: [30, 8] };
const HEIGHT = 40;

/**
 * Draw a week.
 *
 * @param {object[]} week its days, as `days` cuts them
 * @param {object} local the store's clock
 * @param {(part: object) => string} describe returns the tooltip of a stretch or a poll
 */
export function strip(week, local, describe) {
  const longest = Math.max(DAY, ...week.map((day) => day.until - day.start)); // 25 h in autumn
  return element(
    "div",
    { class: "strip", role: "group", "aria-label": "The week, day by day" },
    hatching(),
    ...week.flatMap((day) => [
      element("span", { class: "day" }, local.date(day.from)),
      drawing(day, longest, local, describe),
    ]),
    element("span", {}),
    axis(longest),
  );
}

function drawing(day, longest, local, describe) {
  const scale = (instant) => (instant - day.start) / MINUTE;
  const parts = [
    ...day.stretches.map((stretch) => ({ part: stretch, mark: band(stretch, scale) })),
    ...day.polls.map((poll) => ({ part: poll, mark: tick(poll, scale) })),
  ];
  const svg = svgElement(
    "svg",
    {
      viewBox: `0 0 ${longest / MINUTE} ${HEIGHT}`,
      preserveAspectRatio: "none",
      role: "img",
      tabindex: "0",
      "aria-label": `${local.date(day.from)}: ${summary(day)}. Use the arrow keys for details.`,
    },
    ...parts.map(({ mark }) => mark),
  );
  addTooltips(svg, parts, day, longest, describe);
  return svg;
}

function band({ start, end, state }, scale) {
  const [y, height] = BAND[state];
  const fill = state === "no-data" ? { fill: "url(#hatching)" } : {};
  return svgElement("rect", { class: state, x: scale(start), y, width: scale(end) - scale(start), height, ...fill });
}

function tick({ instant, status, is_evidence: isEvidence }, scale) {
  const [y, height] = POLL[status];
  const x = scale(instant);
  const kind = `poll ${status}${isEvidence ? "" : " unused"}`;
  return svgElement("line", { class: kind, x1: x, x2: x, y1: y, y2: y + height });
}

/** "open 12 h: up 9 h, down 3 h, 14 polls" */
function summary({ stretches, polls }) {
  const sum = (wanted) =>
    stretches
      .filter(({ state }) => state === wanted)
      .reduce((total, { start, end }) => total + end - start, 0);
  const [up, down, noData] = [sum("up"), sum("down"), sum("no-data")];
  const known = up + down ? [`up ${length(up)}, down ${length(down)}`] : [];
  const unknown = noData ? [`no data ${length(noData)}`] : [];
  const open = up + down + noData;
  const state = open ? `open ${length(open)}: ${[...known, ...unknown].join(", ")}` : "closed";
  return `${state}, ${polls.length} polls`;
}

function axis(longest) {
  const labels = TICKS.map((hour) => {
    const label = element("span", {}, String(hour).padStart(2, "0"));
    label.style.left = `${(hour * 60 * MINUTE * 100) / longest}%`;
    return label;
  });
  return element("div", { class: "axis", "aria-hidden": "true" }, ...labels);
}

function hatching() {
  return svgElement(
    "svg",
    { class: "unseen", "aria-hidden": "true" },
    svgElement(
      "pattern",
      { id: "hatching", width: 14, height: 4, patternUnits: "userSpaceOnUse" },
      svgElement("rect", { class: "hatch-ground", width: 14, height: 4 }),
      svgElement("rect", { class: "hatch-line", width: 7, height: 4 }),
    ),
  );
}

// --- tooltips -------------------------------------------------------------------------------

function addTooltips(svg, parts, day, longest, describe) {
  const inOrder = parts.toSorted((a, b) => begin(a) - begin(b));
  let shown = -1;

  function show(index) {
    const { part, mark } = inOrder[index];
    showTip(describe(part), mark, svg, () => {
      mark.classList.remove("shown");
      shown = -1;
    });
    mark.classList.add("shown");
    shown = index;
  }

  /** A poll near the pointer, else the interval under it. */
  function at(x) {
    const box = svg.getBoundingClientRect();
    const instant = day.start + ((x - box.left) / box.width) * longest;
    const near = (NEAR_PIXELS / box.width) * longest;
    const distances = inOrder.map(({ part }) =>
      "instant" in part ? Math.abs(part.instant - instant) : Infinity,
    );
    const nearest = Math.min(...distances);
    if (nearest <= near) return distances.indexOf(nearest);
    return inOrder.findIndex(({ part }) => part.start <= instant && instant < part.end);
  }

  function point(event) {
    const index = at(event.clientX);
    if (index < 0) hideTip();
    else if (index !== shown) show(index);
    else keepTip();
  }

  const steps = {
    ArrowRight: () => Math.min(shown + 1, inOrder.length - 1),
    ArrowLeft: () => Math.max(shown - 1, 0),
    Home: () => 0,
    End: () => inOrder.length - 1,
  };

  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  svg.addEventListener("pointerleave", ({ pointerType }) => {
    if (pointerType !== "touch") hideTipSoon(); // a finger that is lifted has left, too
  });
  svg.addEventListener("blur", () => {
    if (shown >= 0) hideTip(); // unless another drawing shows the tip now
  });
  svg.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hideTip();
    if (!(event.key in steps) || !inOrder.length) return;
    event.preventDefault();
    show(steps[event.key]());
  });
}

const begin = ({ part }) => part.instant ?? part.start;
