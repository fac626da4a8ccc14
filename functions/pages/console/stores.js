// The stores of a report: searched, filtered, sorted and paged by the API.

import { keepList, parsed, storeAddress, storesAddress } from "./addresses.js";
import { callApi, messageOf } from "./api.js";
import { byId, element, pause, refill, showMessage } from "./dom.js";
import { showProblems } from "./forms.js";
import { conditionsIn, knownAttributes } from "./report_request.js";
import { sortableTable } from "./tables.js";
import { count, exactInstant, hours, instant, money, percent } from "./texts.js";

const PAGE = 50;
const TYPING_PAUSE_MS = 300;
const PAGES = "pages-of-stores"; // in this tab: the tokens of the pages of the last list
const FILTERS = ["q", "where", "state", "target_missed", "outage_hour", "sort"];
const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

const form = byId("search");
const place = byId("stores");
let query = {}; // all parameters of the fragment except the page

/** Show the stores that the fragment asks for: ?q=…&state=…&report=…&page=…&page_token=… */
export async function show(rest, signal) {
  const { page: number, page_token: token, ...list } = parsed(rest).query;
  query = list;
  keepList(parsed(rest).query);
  for (const field of form.elements) {
    if (FILTERS.includes(field.name) && field !== document.activeElement) field.value = query[field.name] ?? "";
  }
  await load(token ? Number(number) : 1, token, signal);
}

const path = () => (query.report ? `reports/${encodeURIComponent(query.report)}/stores` : "stores");

/**
 * Load a page.
 *
 * @param {number} number of the page, from 1
 * @param {string} [token] of the page; the first has none
 */
async function load(number, token, signal) {
  const given = FILTERS.filter((name) => query[name]).map((name) => [name, query[name]]);
  const parameters = new URLSearchParams([...given, ["limit", PAGE]]);
  if (token) parameters.set("page_token", token);
  place.setAttribute("aria-busy", "true");
  try {
    const page = await callApi("GET", `${path()}?${parameters}`, { signal });
    refill(place, pageElements(page, number, keptTokens(number, token, page.next_page_token)));
    showMessage(byId("stores-problem"));
  } catch (error) {
    if (signal.aborted) return;
    refill(place, [
      conditions(),
      token && element("p", {}, element("a", { href: storesAddress(query) }, "First page")),
      error.code === "no_report" && element("p", {}, element("a", { href: "#overview" }, "Make the first report")),
    ]);
    showMessage(byId("stores-problem"), messageOf(error));
  }
  place.removeAttribute("aria-busy");
}

/** The tokens of the list's pages, as far as they are known, by the page's number. */
function keptTokens(number, token, next) {
  const list = storesAddress(query);
  const kept = JSON.parse(sessionStorage.getItem(PAGES) ?? "{}");
  const tokens = { ...(kept.list === list && kept.tokens), [number]: token, [number + 1]: next };
  sessionStorage.setItem(PAGES, JSON.stringify({ list, tokens }));
  return tokens;
}

function pageElements({ report, stores, found, total, suggestions = [], next_page_token: next }, number, tokens) {
  const first = (number - 1) * PAGE + 1;
  const range = found ? `${first.toLocaleString("en-GB")}–${(first + stores.length - 1).toLocaleString("en-GB")} of ${count(found, "store")}` : "No store meets all conditions";
  const step = (text, page, isPossible) => {
    const address = storesAddress({ ...query, ...(tokens[page] && { page, page_token: tokens[page] }) });
    const go = () => isPossible && (location.hash = address);
    return element("button", { type: "button", "aria-disabled": String(!isPossible), click: go }, text);
  };
  const isBeforeKnown = number <= 2 || tokens[number - 1];
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
      element("div", { class: "buttons" }, step(isBeforeKnown ? "Previous" : "First page", number - 1, number > 1), step("Next", number + 1, Boolean(next))),
  ];
}

const links = (ids) => ids.flatMap((id, index) => [index ? ", " : "", element("a", { href: storeAddress(id), class: "id" }, id)]);

/** The conditions that have no field in the form, each with a way out. */
function conditions() {
  const given = [
    ...attributeConditions(),
    query.outage_hour && [hourText(Number(query.outage_hour)), { outage_hour: null }],
    query.report && ["stores of one report", { report: null }],
  ].filter(Boolean);
  if (!given.length) return null;
  const chips = given.map(([text, without]) =>
    element("li", {}, text, " ", element("a", { href: storesAddress({ ...query, ...without }), "aria-label": `Without: ${text}` }, "✕")),
  );
  return element("ul", { class: "chips", "aria-label": "Further conditions" }, ...chips);
}

/** The conditions on attributes in words, each with the query's change that drops it. */
function attributeConditions() {
  if (!query.where) return [];
  const where = whereOfQuery();
  if (!where) return [[query.where, { where: null }]]; // the API says what is wrong with it
  return Object.entries(where).map(([name, values]) => {
    const { [name]: _, ...others } = where;
    return [`${name}: ${[values].flat().map((value) => value || "none").join(" or ")}`, { where: whereText(others) }];
  });
}

/** The object in `where`; null if it is none. */
function whereOfQuery() {
  try {
    const where = JSON.parse(query.where || "{}");
    return where instanceof Object ? where : null;
  } catch {
    return null;
  }
}

const whereText = (where) => (Object.keys(where).length ? JSON.stringify(where) : null);

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
  if (!FILTERS.includes(target.name)) return;
  typing.abort();
  typing = new AbortController();
  const { signal } = typing;
  if (target.name === "q") await pause(TYPING_PAUSE_MS, signal);
  if (signal.aborted || !location.hash.startsWith("#stores")) return; // the view may have been left
  const address = storesAddress({ ...query, [target.name]: target.value.trim() });
  history.replaceState(null, "", address); // instead of a history entry for each letter
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** Add the condition on an attribute to those of the list. */
function addCondition(event) {
  event.preventDefault();
  const { condition } = form.elements;
  const { where, problem } = conditionsIn(condition.value);
  showProblems(form, { condition: problem });
  if (problem || !condition.value.trim()) return;
  condition.value = "";
  location.hash = storesAddress({ ...query, where: whereText({ ...whereOfQuery(), ...where }) });
}

let knownHere; // attributes and their values, once the field is used

/** Offer attributes, and behind a colon the values that some stores have. */
async function offerConditions({ type, target: { value } }) {
  if (type === "focus") knownHere = knownAttributes(path());
  const known = await knownHere;
  const name = value.split(":")[0].trim();
  const choices = value.includes(":") ? (known[name] ?? []).map((each) => `${name}: ${each}`) : Object.keys(known).map((each) => `${each}: `);
  byId("conditions").replaceChildren(...choices.map((each) => element("option", { value: each })));
}

form.addEventListener("input", changed);
form.elements.condition.addEventListener("input", offerConditions);
form.elements.condition.addEventListener("focus", offerConditions);
form.addEventListener("submit", addCondition);
