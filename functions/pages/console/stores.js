// The stores of a report: searched, filtered, sorted and paged by the API.

import { parsed, storeAddress, storesAddress } from "./addresses.js";
import { ask, messageOf } from "./api.js";
import { byId, element, pause, refill, showMessage } from "./dom.js";
import { sortableTable } from "./tables.js";
import { count, exactInstant, hours, instant, money, percent } from "./texts.js";

const PAGE = 50;
const TYPING_PAUSE_MS = 300;
const FILTERS = ["q", "where", "state", "target_missed", "outage_hour", "sort"];
const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

const form = byId("search");
const place = byId("stores");
let query = {};
let loading = new AbortController();

/** Show the stores that the fragment asks for: ?q=…&state=…&report=… */
export async function show(rest, leaving) {
  query = parsed(rest).query;
  for (const field of form.elements) {
    if (field.name && field !== document.activeElement) field.value = query[field.name] ?? "";
  }
  await load([], leaving);
}

/**
 * Load a page.
 *
 * @param {string[]} tokens of the pages up to this one: empty for the first
 */
async function load(tokens, leaving) {
  loading.abort();
  loading = new AbortController();
  const signal = AbortSignal.any([loading.signal, leaving]);
  const given = FILTERS.filter((name) => query[name]).map((name) => [name, query[name]]);
  const parameters = new URLSearchParams([...given, ["limit", PAGE]]);
  if (tokens.length) parameters.set("page_token", tokens.at(-1));
  const path = query.report ? `reports/${encodeURIComponent(query.report)}/stores` : "stores";
  place.setAttribute("aria-busy", "true");
  try {
    const page = await ask("GET", `${path}?${parameters}`, { signal });
    refill(place, pageElements(page, tokens, leaving));
    showMessage(byId("stores-problem"));
  } catch (error) {
    if (signal.aborted) return;
    place.replaceChildren();
    showMessage(byId("stores-problem"), messageOf(error));
  }
  place.removeAttribute("aria-busy");
}

function pageElements({ report, stores, found, total, suggestions = [], next_page_token: next }, tokens, leaving) {
  const first = tokens.length * PAGE + 1;
  const range = found ? `${first.toLocaleString("en-GB")}–${(first + stores.length - 1).toLocaleString("en-GB")} of ${count(found, "store")}` : "No store meets all conditions";
  const step = (text, pages, isPossible) =>
    element("button", { type: "button", disabled: !isPossible, click: () => load(pages, leaving) }, text);
  return [
    element(
      "div",
      { class: "head" },
      element("p", { role: "status" }, found === total ? range : `${range}, of ${count(total, "store")} in all`),
      element("p", { class: "facts" }, `Week to ${instant(report.as_of)}`),
    ),
    conditions(),
    suggestions.length > 0 && element("p", {}, "Close to it: ", ...links(suggestions)),
    stores.length > 0 && storesTable(stores, report),
    found > stores.length &&
      element("div", { class: "buttons" }, step("Previous", tokens.slice(0, -1), tokens.length > 0), step("Next", [...tokens, next], Boolean(next))),
  ];
}

const links = (ids) => ids.flatMap((id, index) => [index ? ", " : "", element("a", { href: storeAddress(id), class: "id" }, id)]);

/** The conditions that have no field in the form, each with a way out. */
function conditions() {
  const texts = {
    where: query.where && conditionText(query.where),
    outage_hour: query.outage_hour && hourText(Number(query.outage_hour)),
    report: query.report && "stores of one report",
  };
  const given = Object.entries(texts).filter(([, text]) => text);
  if (!given.length) return null;
  const chips = given.map(([name, text]) =>
    element("li", {}, text, " ", element("a", { href: storesAddress({ ...query, [name]: null }), "aria-label": `Without: ${text}` }, "✕")),
  );
  return element("ul", { class: "chips", "aria-label": "Further conditions" }, ...chips);
}

function conditionText(where) {
  try {
    return Object.entries(JSON.parse(where))
      .map(([name, values]) => `${name}: ${[values].flat().map((value) => value || "none").join(" or ")}`)
      .join(", ");
  } catch {
    return where; // the API says what is wrong with it
  }
}

const hourText = (hour) => `an outage that began on a ${DAYS[Math.floor(hour / 24)]} from ${hour % 24}:00 to ${hour % 24}:59`;

function storesTable(stores, report) {
  const ofReport = { report_id: query.report };
  const hasNames = stores.some(({ name }) => name);
  const attributes = [...new Set(stores.flatMap((row) => Object.keys(row.attributes ?? {})))];
  const hasRevenue = stores.some((row) => row.lost_revenue_last_week != null);
  const plain = (name, head, cell) => ({ name, head, cell: (row) => (row[name] == null ? null : cell(row[name])) });
  const columns = [
    { name: "store_id", head: "Store", isText: true, cell: (row) => element("a", { href: storeAddress(row.store_id, ofReport), class: "id" }, row.store_id) },
    hasNames && { ...plain("name", "Name", (text) => text), isText: true },
    { name: "state", head: "Now", isText: true, cell: (row) => element("span", { class: "state", "data-state": row.state }, row.state) },
    plain("uptime_percent_last_hour", "Up, hour", percent),
    plain("uptime_percent_last_day", "Up, day", percent),
    plain("uptime_percent_last_week", "Up, week", percent),
    plain("target_percent", "Target", (value) => `${value}%`),
    plain("downtime_last_week(in hours)", "Down, week, h", hours),
    plain("outages_last_week", "Outages", String),
    plain("coverage_percent_last_week", "Seen, week", percent),
    hasRevenue && plain("lost_revenue_last_week", "Lost, week", money),
    ...attributes.map((name) => ({ name: `attributes.${name}`, head: name, isText: true, cell: (row) => row.attributes?.[name] })),
    plain("last_poll_at", "Last poll", exactInstant),
  ].filter(Boolean);
  return sortableTable({
    caption: "Stores",
    columns,
    rows: stores,
    sort: query.sort ?? "store_id",
    onSort: (sort) => (location.hash = storesAddress({ ...query, sort })),
  });
}

let typing = new AbortController();

/** Search when the user stops typing; the fragment names what is shown. */
async function changed({ target }) {
  typing.abort();
  typing = new AbortController();
  const { signal } = typing;
  if (target.name === "q") await pause(TYPING_PAUSE_MS, signal);
  if (signal.aborted || !location.hash.startsWith("#stores")) return; // the view may have been left
  const address = storesAddress({ ...query, [target.name]: target.value.trim() });
  history.replaceState(null, "", address); // not one entry a letter
  dispatchEvent(new HashChangeEvent("hashchange"));
}

form.addEventListener("input", changed);
form.addEventListener("submit", (event) => event.preventDefault());
