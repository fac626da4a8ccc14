// The parts of a store's view: figures, the week as a strip, and tables of what they rest on.

import { storeAddress } from "./addresses.js";
import { element } from "./dom.js";
import { badInputs, dropDraft, keepDraft, showProblems } from "./forms.js";
import { historySection } from "./history.js";
import { displayZone } from "./settings.js";
import { strip } from "./strip.js";
import { plainTable } from "./tables.js";
import { clock, count, inUnits, instant, length, money, percent, toField, toInstant } from "./texts.js";
import { days } from "./week.js";

const MINUTE_US = 60_000_000;
const WINDOWS = {
  "last hour": ["last_hour", MINUTE_US, "min"],
  "last day": ["last_day", 60 * MINUTE_US, "h"],
  "last week": ["last_week", 60 * MINUTE_US, "h"],
};
const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const STATES = {
  up: "up",
  down: "down",
  "no-data": "no data",
  closed: "closed",
};

/**
 * Return the elements that show a store.
 *
 * @param {object} timeline as GET /timeline returns it
 * @param {object|null} row the store's row of a report
 * @param {object} query what the fragment says besides the id
 */
export function storeElements(timeline, row, query) {
  const local = clock(timeline.time_zone.name);
  const shown = clock(displayZone());
  const week = days(timeline, local);
  return [
    element("p", { class: "facts" }, facts(timeline, row)),
    element(
      "div",
      { class: "week" },
      element(
        "div",
        {},
        strip(week, local, (part) => describe(part, local, shown)),
        legend(),
      ),
      numbers(timeline.totals, row),
    ),
    anotherWeek(timeline, query),
    element(
      "div",
      { class: "halves" },
      section("Hours", ...hours(timeline, local)),
      section("Outages of the week", ...outages(timeline, local)),
      historySection(timeline),
    ),
    details("The week as a table", stretchesTable(week, local, shown)),
    details("The polls as a table", pollsTable(timeline)),
  ];
}

const section = (title, ...content) => element("section", {}, element("h2", {}, title), ...content);
const details = (title, content) => element("details", {}, element("summary", {}, title), content);

function facts(timeline, row) {
  const { as_of: asOf, time_zone: zone, poll_filter: filter } = timeline;
  return [
    row?.name && timeline.store_id,
    ...Object.entries(row?.attributes ?? {}).map(([name, value]) => value && `${name} ${value}`),
    `week to ${instant(asOf)}`,
    `${zone.name}${zone.source === "default" ? ", by default" : ""}`,
    filter === "business_hours" && "only polls taken while open count",
  ]
    .filter(Boolean)
    .join(" · ");
}

// --- figures --------------------------------------------------------------------------------

function numbers(totals, row) {
  const line = (head, kind, cell) =>
    element(
      "tr",
      { class: kind },
      element("th", { scope: "row" }, head),
      ...Object.values(WINDOWS).map((window) => element("td", {}, ...cell(window))),
    );
  const time = (head, kind) =>
    line(head, kind, ([window, unit, sign]) => [
      inUnits(totals[`${kind}_${window}_us`], unit),
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
      line("Uptime", "percent", ([window]) => [uptimePercent(totals, window)]),
      ...(row ? targetLines(row, line) : []),
      time("Up", "uptime"),
      time("Down", "downtime"),
      totals.no_data_last_week_us ? time("No data", "no_data") : null,
      totals.excluded_last_week_us ? time("Excluded", "excluded") : null,
      line("Covered by polls", "coverage", ([window]) => [coveragePercent(totals, window)]),
    ),
  );
}

/** What the report says of the store's target and of lost revenue. */
function targetLines(row, line) {
  return [
    line(`Target ${row.target_percent}%`, "target", ([window]) => [
      element("span", { class: "verdict", "data-verdict": row[`target_${window}`] }, row[`target_${window}`]),
    ]),
    row.lost_revenue_last_week != null && line("Lost revenue", "lost", ([window]) => [money(row[`lost_revenue_${window}`])]),
  ].filter(Boolean);
}

/** The share of uptime in known time; without known time there is none. */
function uptimePercent(totals, window) {
  const [up, down] = [totals[`uptime_${window}_us`], totals[`downtime_${window}_us`]];
  if (up + down) return percent((100 * up) / (up + down));
  return totals[`no_data_${window}_us`] ? "no data" : "closed";
}

/** The share of business time shortly after a poll: how much was seen, not carried forward. */
function coveragePercent(totals, window) {
  const open = totals[`uptime_${window}_us`] + totals[`downtime_${window}_us`] + totals[`no_data_${window}_us`];
  return open ? percent((100 * totals[`covered_${window}_us`]) / open) : "closed";
}

// --- the strip ------------------------------------------------------------------------------

function legend() {
  const entry = (state, text) =>
    element("li", {}, element("span", { class: `key ${state}` }), text);
  return element(
    "ul",
    { class: "legend" },
    entry("up", "open and up"),
    entry("down", "open and down"),
    entry("no-data", "open, no data"),
    entry("closed", "closed"),
    entry("active", "poll: active"),
    entry("inactive", "poll: inactive"),
  );
}

/** Describe an interval or a poll in the store's time and in the zone of the settings. */
function describe(part, local, shown) {
  if ("instant" in part) {
    const filtered = part.is_evidence ? "" : ", not counted";
    const at = (of) => `${of.date(part.instant)} ${of.exactTime(part.instant)}`;
    return `Poll: ${part.status}${filtered}. ${at(local)} local; ${at(shown)} ${shown.offset(part.instant)}`;
  }
  const open = part.state === "closed" ? "" : "Open, ";
  const state = open + STATES[part.state];
  return (
    `${state.charAt(0).toUpperCase()}${state.slice(1)}, ${length(part.end - part.start)}. ` +
    `${span(part, local)} local; ${span(part, shown)} ${shown.offset(part.start)}`
  );
}

/** "Thu 10 Oct 10:00–11:53", with the second date if it is another. */
function span({ start, end }, of) {
  const until = of.date(start) === of.date(end) ? "" : `${of.date(end)} `;
  return `${of.date(start)} ${of.time(start)}–${until}${of.time(end)}`;
}

// --- another week ---------------------------------------------------------------------------

/**
 * A form for the time and the polls that the view is about.
 *
 * @param {object} week store_id; as_of and poll_filter, if they are known
 * @param {object} query what the fragment says besides the id
 */
export function anotherWeek({ store_id: id, as_of: asOf, poll_filter: filter }, query) {
  const zone = displayZone();
  const draft = location.hash; // of this store and week: another one has its own
  const option = (value, text) => element("option", { value, selected: value === filter }, text);
  const form = element(
    "form",
    { id: "another-week", class: "bar", novalidate: true },
    element(
      "label",
      {},
      `Week up to, ${zone}`,
      element("input", { type: "datetime-local", name: "as_of", step: "1", max: "9999-12-31T23:59:59", value: fieldValue(query.as_of ?? asOf, zone) }),
    ),
    element(
      "label",
      {},
      "Polls that count",
      element("select", { name: "poll_filter" }, option("all", "all polls"), option("business_hours", "polls taken while open")),
    ),
    element("button", {}, "Show"),
    element("p", { class: "problem", role: "alert", hidden: true, "data-problem-of": "as_of" }),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const problems = badInputs(form);
    showProblems(form, problems);
    if (Object.keys(problems).length) return;
    const fields = new FormData(form);
    const given = fields.get("as_of") && { as_of: toInstant(fields.get("as_of"), zone) };
    dropDraft(draft); // from now on, the address contains it
    const address = storeAddress(id, { ...given, poll_filter: fields.get("poll_filter") });
    if (address === location.hash) dispatchEvent(new HashChangeEvent("hashchange")); // try it again
    else location.hash = address;
  });
  const shown = element("details", {}, element("summary", {}, "Another week, other polls"), form);
  keepDraft(form, draft);
  return shown;
}

/** An instant as the value of a field; empty if the fragment was typed by hand and has none. */
const fieldValue = (text, zone) => (Number.isNaN(Date.parse(text)) ? "" : toField(text, zone));

// --- what the figures rest on ---------------------------------------------------------------

const clockTime = (text) => text.slice(0, text.endsWith(":00") ? 5 : 8);
const opening = ({ start_time_local: start, end_time_local: end }) =>
  start === null ? "closed" : `${clockTime(start)}–${clockTime(end)}`;

function hours({ business_hours: { rows, source }, special_hours: special, exclusions }, local) {
  const weekly = DAYS.map((day, index) => [
    day,
    rows.filter(({ day_of_week: of }) => of === index).map(opening).join(", ") || "closed",
  ]);
  const excluded = exclusions.map((each) => [span(milliseconds(each), local), each.reason ?? ""]);
  return [
    source === "default" ? element("p", {}, "No hours are known: open around the clock.") : plainTable(["Day", "Local time"], weekly),
    ...(special.length
      ? [element("h3", {}, "Special dates"), plainTable(["Date", "Local time", "Reason"], special.map((row) => [row.date, opening(row), row.reason ?? ""]))]
      : []),
    ...(excluded.length ? [element("h3", {}, "Exclusions"), plainTable(["Local time", "Reason"], excluded)] : []),
  ];
}

const milliseconds = ({ start, end }) => ({ start: Date.parse(start), end: Date.parse(end) });

function outages({ outages: found }, local) {
  if (!found.length) return [element("p", {}, "None.")];
  const lines = found.toReversed().map((outage) => [span(milliseconds(outage), local), length(outage.length_us / 1000)]);
  return [element("p", { class: "facts" }, count(found.length, "outage")), plainTable(["Local time", "For"], lines)];
}

function stretchesTable(week, local, shown) {
  const lines = week.flatMap(({ stretches }) =>
    stretches
      .filter(({ state }) => state !== "closed")
      .map((part) => [
        span(part, local),
        span(part, shown),
        STATES[part.state],
        length(part.end - part.start),
      ]),
  );
  return plainTable(["Local", shown.name, "Open and", "For"], lines);
}

function pollsTable({ polls }) {
  const seconds = (text) => text.replace("T", " ").slice(0, 19);
  const lines = polls.map((poll) => [
    seconds(poll.at_local),
    seconds(poll.at),
    poll.status,
    poll.is_evidence ? "yes" : "no",
  ]);
  return plainTable(["Local", "UTC", "Status", "Counts"], lines);
}
