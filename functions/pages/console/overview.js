// The newest report's figures, each with a link to the stores behind it.

import { actionButton } from "./action_button.js";
import { groupAddress, storesAddress } from "./addresses.js";
import { callApi, messageOf } from "./api.js";
import { byId, element, pause, problemText, refill, showMessage } from "./dom.js";
import { heatMap } from "./heat_map.js";
import { periodParts } from "./period_overview.js";
import { makeReport } from "./make_report.js";
import { downloadButtons, openReport } from "./report_files.js";
import { whichTime } from "./report_request.js";
import { series } from "./series.js";
import { locallySortedTable, plainTable } from "./tables.js";
import { count, hours, instant, money, number, percent, points } from "./texts.js";
import { worstStores } from "./worst_stores.js";

const REFRESH_EVERY_MS = 15_000;
const WINDOWS = { last_hour: "hour", last_day: "day", last_week: "week" };

const place = byId("overview");
let shownReport; // null: the first steps

/**
 * Show a report's figures.
 *
 * @param {string} reportId empty: the newest report of all stores, and the next one when there is one
 * @param {AbortSignal} signal aborted when the view is left
 */
export async function show(reportId, signal) {
  while (!signal.aborted) {
    try {
      await update(reportId, signal);
      showMessage(byId("overview-problem"));
    } catch (error) {
      if (signal.aborted) return;
      showMessage(byId("overview-problem"), messageOf(error));
      place.removeAttribute("aria-busy");
    }
    if (reportId && shownReport === reportId) return; // a report never changes
    await pause(REFRESH_EVERY_MS, signal);
  }
}

async function update(reportId, signal) {
  const id = reportId || (await newestReport(signal));
  if (id === shownReport) return;
  if (id) {
    const summary = await callApi("GET", `reports/${encodeURIComponent(id)}/summary`, { signal });
    refill(place, figures(summary, canHaveTrend(summary) && (() => addTrend(summary.report, reportId))));
  } else {
    const { firstSteps } = await import("./first_steps.js");
    refill(place, [firstSteps(firstReport)]);
  }
  shownReport = id;
  place.removeAttribute("aria-busy");
}

/** Only reports with HTML have a trend: it costs as much as all other figures together. */
function canHaveTrend({ trend, report: { request } }) {
  return !trend && !request.period && !request.store_ids && !request.where;
}

/** Make the same report again, with a trend, and show it. */
async function addTrend({ as_of, request }, reportId) {
  const { poll_filter, group_by, include, formats, target_percent: target } = request;
  const target_percent = target && Number(target); // stored as text
  const id = await makeReport({ as_of, poll_filter, group_by, include, target_percent, formats: [...formats, "html"] });
  if (reportId) location.hash = `overview/${id}`;
  else await update("");
}

/** The first report has ended. One that failed is in the list of reports, with the reason. */
async function firstReport() {
  await update("");
  if (!shownReport) location.hash = "reports";
}

/** The id of the newest report of all stores; null if there is none. */
async function newestReport(signal) {
  try {
    return (await callApi("GET", "stores?limit=1", { signal })).report.report_id;
  } catch (error) {
    if (error.code === "no_report") return null;
    throw error;
  }
}

/**
 * @param {object} summary
 * @param {(() => Promise<void>)|false} compare makes the same report with a comparison to the week before
 */
function figures(summary, compare) {
  const { report, stores, warnings } = summary;
  const problem = problemText();
  const { tiles, sections } = report.request.period ? periodParts(summary) : weekParts(summary);
  return [
    element(
      "div",
      { class: "head" },
      element("p", { class: "facts" }, `${count(stores, "store")}, ${whichTime(report)}`),
      element(
        "div",
        { class: "buttons" },
        compare && actionButton("Compare with the week before", problem, compare),
        report.request.formats?.includes("html") && openReport(report.report_id, problem, "Open the HTML report"),
        ...(report.request.period ? downloadButtons(report.report_id, report.request, problem) : []), // no list has its rows
      ),
    ),
    problem,
    ...warnings.map(({ message }) => element("p", { class: "warning" }, `Warning: ${message}`)),
    element("dl", { class: "tiles" }, ...tiles),
    element("div", { class: "halves" }, ...sections.map(([title, ...content]) => section(title, ...content))),
  ];
}

/** The parts of a report on the week up to an instant. */
function weekParts(summary) {
  const { now, trend } = summary;
  const rows = (query) => storesAddress({ ...query, report: summary.report.report_id });
  return {
    tiles: [
      tile("Down now", now.down, rows({ state: "down" }), now.down > 0 && "down"),
      tile("Up now", now.up, rows({ state: "up" }), "up"),
      tile("Closed now", now.closed, rows({ state: "closed" })),
      tile("No data", now.no_data, rows({ state: "no data" }), now.no_data > 0 && "warned"),
      targetTile(summary.last_week, rows),
      ...Object.entries(WINDOWS).map(([window, name]) => uptimeTile(summary, window, name, rows)),
      ...outageTiles(summary, rows),
    ],
    sections: [
      ["Worst stores of the week", worstStores("Worst stores of the week", summary.worst_stores, { report_id: summary.report.report_id }), element("a", { href: rows({ sort: "uptime_percent_last_week" }) }, "All stores, the worst first")],
      ["When outages of the week began, local time", heatMap(summary.outages_by_hour, (hour) => rows({ outage_hour: hour }))],
      trend && ["The last seven days", series("Uptime, day by day; the table has the numbers", trend.days.map(dayOfTrend)), trendTable(trend)],
      ["Groups", ...groups(summary)],
    ].filter(Boolean),
  };
}

const dayOfTrend = ({ end, uptime_percent: uptime, downtime_hours: down }) => ({
  percent: uptime,
  text: `24 hours to ${instant(end)}: ${percent(uptime)} up, ${count(Math.round(down), "hour")} down`,
});

function trendTable({ days, week_before: before }) {
  const line = (name, { uptime_percent: uptime, uptime_hours: up, downtime_hours: down }) => [name, percent(uptime), hours(up), hours(down)];
  const lines = days.map((day) => line(instant(day.end), day));
  return plainTable(["24 hours to", "Uptime", "Up, h", "Down, h"], before ? [...lines, line("Week before", before)] : lines);
}

function section(title, ...content) {
  return element("section", {}, element("h2", {}, title), ...content);
}

/** A figure that links to the rows behind it. */
function tile(name, value, address, kind = null, ...notes) {
  const text = typeof value === "number" ? number(value) : value;
  return element(
    "div",
    { class: "tile", "data-kind": kind },
    element("dt", {}, name),
    element("dd", {}, element("a", { href: address, "aria-label": `${name}: ${text}` }, text)),
    ...notes.map((note) => note && element("dd", { class: "note" }, note)),
  );
}

function uptimeTile(summary, window, name, rows) {
  const { uptime_percent: uptime, coverage_percent: coverage, business_time_hours: open } = summary[window];
  const change = window === "last_week" ? summary.trend?.change_percent_points : null;
  return tile(
    `Uptime, last ${name}`,
    percent(uptime),
    rows({ sort: `uptime_percent_${window}` }),
    null,
    change != null && `${points(change)} against the week before`,
    open > 0 ? `${percent(coverage)} of the time seen` : "closed",
  );
}

function targetTile({ stores_met: met, stores_missed: missed }, rows) {
  const note = `of ${count(met + missed, "store")} with data`;
  return tile("Below target, week", missed, rows({ target_missed: "last_week" }), missed > 0 && "down", note);
}

function outageTiles({ last_week: week, outages_last_week: outages, mean_time_to_recovery_hours: recovery }, rows) {
  return [
    tile("Outages, week", outages, rows({ sort: "-outages_last_week" }), null, recovery === null ? null : `${recovery} h to recover, on average`),
    week.lost_revenue === null ? null : tile("Lost revenue, week", money(week.lost_revenue), rows({ sort: "-lost_revenue_last_week" })),
  ];
}

/** The groups of the report, each with a link to its stores. */
function groups({ groups, report }) {
  if (!groups) {
    const isAsked = report.request.group_by?.length > 0;
    const hint = isAsked ? "There are too many to show them here; the report’s files have them all." : "A report by an attribute, such as brand, has its groups here.";
    return [element("p", { class: "facts" }, hint, " ", !isAsked && element("a", { href: "#reports" }, "Make one"))];
  }
  const names = Object.keys(groups[0].group);
  const label = ({ group }) => names.map((name) => group[name] || "none").join(", ");
  const figure = (name, head, cell) => ({ name, head, value: (row) => row[name], cell: (row) => (row[name] == null ? null : cell(row[name])) });
  const linked = (name, head, query) => ({
    ...figure(name, head),
    cell: (row) => element("a", { href: groupAddress(row.group, { ...query, report: report.report_id }) }, number(row[name])),
  });
  const hasRevenue = groups.some((row) => row.lost_revenue_last_week != null);
  const columns = [
    { name: "group", head: names.join(", "), isText: true, value: label, cell: (row) => element("a", { href: groupAddress(row.group, { report: report.report_id }) }, label(row)) },
    figure("stores", "Stores", number),
    figure("uptime_percent_last_day", "Up, day", percent),
    figure("uptime_percent_last_week", "Up, week", percent),
    linked("missed_target_last_week", "Missed", { target_missed: "last_week" }),
    linked("outages_last_week", "Outages", { sort: "-outages_last_week" }),
    hasRevenue && { ...figure("lost_revenue_last_week", "Lost, week", money), value: (row) => Number(row.lost_revenue_last_week) },
  ].filter(Boolean);
  return [locallySortedTable({ caption: "Groups", sort: "uptime_percent_last_week", rows: groups, columns })];
}
