// A store's week for display: its data, its totals and its days.

import { element } from "./dom.js";
import { strip } from "./strip.js";
import { clock, count, inUnits, instant, length, percent } from "./texts.js";
import { days } from "./week.js";

const MINUTE_US = 60_000_000;
const WINDOWS = {
  "last hour": ["last_hour_us", MINUTE_US, "min"],
  "last day": ["last_day_us", 60 * MINUTE_US, "h"],
  "last week": ["last_week_us", 60 * MINUTE_US, "h"],
};
const UTC = clock("UTC");
const STATES = {
  up: "up",
  down: "down",
  "no-data": "no data",
  closed: "closed",
};

/** Return the elements that show a timeline. */
export function storeWeek(timeline) {
  const local = clock(timeline.time_zone.name);
  const week = days(timeline, local);
  return [
    element("h2", { class: "id" }, timeline.store_id),
    element("p", { class: "facts" }, facts(timeline)),
    numbers(timeline.totals),
    strip(week, local, (part) => describe(part, local)),
    legend(),
    element("details", {}, element("summary", {}, "The week as a table"), stretchesTable(week, local)),
    element("details", {}, element("summary", {}, "The polls as a table"), pollsTable(timeline)),
  ];
}

function facts(timeline) {
  const { as_of: asOf, time_zone: zone, business_hours: hours, poll_filter: filter } = timeline;
  const { special_hours: special, exclusions } = timeline;
  return [
    `week to ${instant(asOf)}`,
    `${zone.name}${zone.source === "default" ? ", by default" : ""}`,
    hours.source === "default" ? "no hours known: open around the clock" : count(hours.rows.length, "row of hours", "rows of hours"),
    special.length > 0 && count(special.length, "row of special hours", "rows of special hours"),
    exclusions.length > 0 && count(exclusions.length, "exclusion", "exclusions"),
    filter === "business_hours" && "only polls taken while open count",
  ]
    .filter(Boolean)
    .join(" · ");
}

function numbers(totals) {
  const line = (head, kind, cell) =>
    element(
      "tr",
      { class: kind },
      element("th", { scope: "row" }, head),
      ...Object.values(WINDOWS).map((window) => element("td", {}, ...cell(window))),
    );
  const time = (head, kind) =>
    line(head, kind, ([window, unit, sign]) => [
      inUnits(totals[`${kind}_${window}`], unit),
      element("small", {}, ` ${sign}`),
    ]);
  const heads = Object.keys(WINDOWS).map((name) => element("th", { scope: "col" }, name));
  return element(
    "table",
    { class: "numbers" },
    element("caption", { class: "unseen" }, "Uptime and downtime, as in the report"),
    element("thead", {}, element("tr", {}, element("td", {}), ...heads)),
    element(
      "tbody",
      {},
      time("Up", "uptime"),
      time("Down", "downtime"),
      totals.no_data_last_week_us ? time("No data", "no_data") : null,
      line("Uptime", "percent", ([window]) => [uptimePercent(totals, window)]),
      line("Covered by polls", "percent", ([window]) => [coveragePercent(totals, window)]),
    ),
  );
}

/** The share of uptime in known time; without known time there is none. */
function uptimePercent(totals, window) {
  const [up, down] = [totals[`uptime_${window}`], totals[`downtime_${window}`]];
  if (up + down) return percent((100 * up) / (up + down));
  return totals[`no_data_${window}`] ? "no data" : "closed";
}

/** The share of business time shortly after a poll: how much was seen, not carried forward. */
function coveragePercent(totals, window) {
  const open = totals[`uptime_${window}`] + totals[`downtime_${window}`] + totals[`no_data_${window}`];
  return open ? percent((100 * totals[`covered_${window}`]) / open) : "closed";
}

function legend() {
  const entry = (state, text) =>
    element("li", {}, element("span", { class: `key ${state}` }), text);
  return element(
    "ul",
    { class: "legend" },
    entry("up", "open and up"),
    entry("down", "open and down"),
    entry("no-data", "open, no data: no poll is known"),
    entry("closed", "closed"),
    entry("active", "poll: active"),
    entry("inactive", "poll: inactive"),
  );
}

/** Describe an interval or a poll in local time and in UTC. */
function describe(part, local) {
  if ("instant" in part) {
    const filtered = part.is_evidence ? "" : ", not counted";
    const at = (of) => `${of.date(part.instant)} ${of.exactTime(part.instant)}`;
    return `Poll: ${part.status}${filtered}. ${at(local)} local; ${at(UTC)} UTC`;
  }
  const open = part.state === "closed" ? "" : "Open, ";
  const state = open + STATES[part.state];
  return (
    `${state.charAt(0).toUpperCase()}${state.slice(1)}, ${length(part.end - part.start)}. ` +
    `${span(part, local)} local; ${span(part, UTC)} UTC`
  );
}

/** "Thu 10 Oct 10:00–11:53", with the second date if it is another. */
function span({ start, end }, of) {
  const until = of.date(start) === of.date(end) ? "" : `${of.date(end)} `;
  return `${of.date(start)} ${of.time(start)}–${until}${of.time(end)}`;
}

function stretchesTable(week, local) {
  const lines = week.flatMap(({ stretches }) =>
    stretches
      .filter(({ state }) => state !== "closed")
      .map((part) => [
        span(part, local),
        span(part, UTC),
        STATES[part.state],
        length(part.end - part.start),
      ]),
  );
  return table(["Local", "UTC", "Open and", "For"], lines);
}

function pollsTable({ polls }) {
  const seconds = (text) => text.replace("T", " ").slice(0, 19);
  const lines = polls.map((poll) => [
    seconds(poll.at_local),
    seconds(poll.at),
    poll.status,
    poll.is_evidence ? "yes" : "no",
  ]);
  return table(["Local", "UTC", "Status", "Counts"], lines);
}

function table(heads, lines) {
  const head = heads.map((text) => element("th", { scope: "col" }, text));
  const rows = lines.map((cells) =>
    element("tr", {}, ...cells.map((text) => element("td", {}, text))),
  );
  return element(
    "div",
    { class: "scrolling", tabindex: "0", role: "region", "aria-label": heads.join(", ") },
    element(
      "table",
      { class: "plain" },
      element("thead", {}, element("tr", {}, ...head)),
      element("tbody", {}, ...rows),
    ),
  );
}
