// Outages by weekday and hour: a table whose cells are links, darker with more outages.

import { element } from "./dom.js";
import { count, shortNumber } from "./texts.js";

const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const HOURS = Array.from({ length: 24 }, (_, hour) => String(hour).padStart(2, "0"));

/**
 * Draw the heat map. Arrow keys move from cell to cell; Tab enters and leaves the map.
 *
 * @param {number[][]} counts seven days, Monday first, of 24 hours
 * @param {(hourOfWeek: number) => string} linkTo the address of the rows behind a cell
 */
export function heatMap(counts, linkTo) {
  const most = Math.max(1, ...counts.flat());
  const links = counts.map((hours, day) => hours.map((outages, hour) => cellLink(outages, day, hour, linkTo)));
  links[0][0].tabIndex = 0;
  const cells = (day) =>
    links[day].map((link, hour) => {
      const cell = element("td", { role: "gridcell" }, link);
      const share = Math.sqrt(counts[day][hour] / most); // so that a peak leaves the others visible
      cell.style.setProperty("--share", share); // not an attribute: the policy forbids inline styles
      return cell;
    });
  const head = (text, scope) => element("th", { scope, role: scope === "col" ? "columnheader" : "rowheader" }, text);
  const row = (...children) => element("tr", { role: "row" }, ...children);
  return element(
    "table",
    { class: "heat-map", role: "grid", "aria-label": "Outages by local weekday and hour of their start", keydown: (event) => move(event, links) },
    element("thead", { role: "rowgroup" }, row(element("td", { role: "columnheader" }), ...HOURS.map((hour) => head(hour, "col")))),
    element("tbody", { role: "rowgroup" }, ...DAYS.map((day, index) => row(head(day.slice(0, 3), "row"), ...cells(index)))),
  );
}

function cellLink(outages, day, hour, linkTo) {
  const label = `${DAYS[day]}, ${HOURS[hour]}:00 to ${HOURS[hour]}:59: ${count(outages, "outage")}`;
  const link = element("a", { href: linkTo(24 * day + hour), tabindex: "-1", "aria-label": label }, outages ? shortNumber(outages) : "");
  return link;
}

function move(event, links) {
  const day = links.findIndex((row) => row.includes(event.target));
  const hour = links[day]?.indexOf(event.target);
  const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [];
  if (day < 0 || down === undefined) return;
  event.preventDefault();
  const next = links[(day + down + 7) % 7][(hour + right + 24) % 24];
  event.target.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}
