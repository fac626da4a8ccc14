// The figures of a complete report, loaded when they are opened.

import { ask } from "./api.js";
import { element, showMessage } from "./dom.js";
import { number, percent } from "./texts.js";

const WINDOWS = { last_hour: "last hour", last_day: "last day", last_week: "last week" };

/** Return an element that opens to the report's summary. */
export function reportSummary(reportId) {
  const figures = element("dl", { class: "figures" });
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const load = async ({ currentTarget: details }) => {
    if (!details.open || figures.childElementCount) return;
    showMessage(problem);
    try {
      figures.replaceChildren(...figureElements(await ask("GET", `reports/${reportId}/summary`)));
    } catch (error) {
      showMessage(problem, error.message);
    }
  };
  return element("details", { toggle: load }, element("summary", {}, "Summary"), figures, problem);
}

function figureElements(summary) {
  const { now, last_week: week } = summary;
  const entries = [
    ...Object.entries(WINDOWS).map(([window, name]) => [
      `Uptime, ${name}`,
      percent(summary[window].uptime_percent),
    ]),
    ["Covered by polls, last week", percent(week.coverage_percent)],
    [
      "Stores now",
      `${number(now.up)} up, ${number(now.down)} down, ${number(now.closed)} closed, ${number(now.no_data)} without data`,
    ],
    [
      "Missed the target, last week",
      `${number(week.stores_missed)} of ${number(week.stores_met + week.stores_missed)} stores with data`,
    ],
    week.lost_revenue !== null && ["Lost revenue, last week", number(week.lost_revenue)],
  ].filter(Boolean);
  return entries.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value)),
  );
}
