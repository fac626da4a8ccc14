// The form for a new report, and requests in words.

import { callApi, messageOf } from "./api.js";
import { badInputs } from "./forms.js";
import { displayZone, targetPercent } from "./settings.js";
import { clock, count, instant, toInstant } from "./texts.js";

const MOST_GROUPS = 3;
const SAMPLED_STORES = 100; // their attributes are offered

/**
 * Read the form.
 *
 * @param {HTMLFormElement} form
 * @returns {{body: object, problems: Object<string, string>}}
 *   the body of POST /trigger_report, and what is wrong, by field
 */
export function requested(form) {
  const fields = new FormData(form);
  const isPeriod = fields.get("time") === "period";
  const [from, last] = [fields.get("from"), fields.get("last")];
  const asOf = isPeriod ? "" : fields.get("as_of");
  const ids = listed(fields.get("store_ids"));
  const groups = listed(fields.get("group_by"));
  const { where, problem } = conditionsIn(fields.get("where"));
  const target = fields.get("target_percent") || targetPercent();
  const body = {
    ...(asOf && { as_of: toInstant(asOf, displayZone()) }),
    ...(isPeriod && from && last && { period: { from, to: dayAfter(last), by: fields.get("by") } }),
    ...(ids.length > 0 && { store_ids: ids }),
    ...(Object.keys(where).length > 0 && { where }),
    ...(groups.length > 0 && { group_by: groups }),
    ...(target && { target_percent: Number(target) }),
    ...(fields.has("include") && { include: fields.getAll("include") }),
    poll_filter: fields.get("poll_filter"),
    formats: ["csv", ...fields.getAll("formats")],
  };
  const problems = {
    ...(isPeriod && periodProblems(from, last)),
    ...(target && !isTarget(form.elements.target_percent, target) && { target_percent: "A target is above 0 and at most 100, with four decimals at most." }),
    ...(problem && { where: problem }),
    ...(groups.length > MOST_GROUPS && { group_by: `At most ${MOST_GROUPS} attributes.` }),
    ...badInputs(form),
  };
  return { body, problems };
}

/** The field's attributes say what is valid; they cannot exclude the lower bound, 0. */
const isTarget = (field, target) => field.validity.valid && Number(target) > 0;

function periodProblems(from, last) {
  if (!from) return { from: "Choose the first day." };
  if (!last) return { last: "Choose the last day." };
  return last < from ? { last: "The last day is before the first." } : {};
}

const DAY_MS = 86_400_000;
const shifted = (date, days) => new Date(Date.parse(date) + days * DAY_MS).toISOString().slice(0, 10);
const dayAfter = (date) => shifted(date, 1);

/**
 * Split a list that was typed or pasted; quotes protect commas, as in CSV.
 *
 * Only ASCII whitespace is dropped around a value: ingest does so, too.
 */
export function listed(text) {
  const values = text.matchAll(/"((?:[^"]|"")*)"|[^",\n\r\t]+/g);
  return [...new Set([...values].map(([value, quoted]) => quoted?.replaceAll('""', '"') ?? trimmed(value)))].filter(Boolean);
}

/**
 * The attributes of some stores.
 *
 * @param {string} path of a list of stores
 * @returns {Promise<Object<string, string[]>>} values by name, both sorted; none if there is no report yet
 */
export async function knownAttributes(path) {
  try {
    const { stores } = await callApi("GET", `${path}?limit=${SAMPLED_STORES}`);
    const names = new Set(stores.flatMap(({ attributes }) => Object.keys(attributes ?? {})));
    const values = (name) => new Set(stores.map(({ attributes }) => attributes?.[name]).filter(Boolean));
    return Object.fromEntries([...names].toSorted().map((name) => [name, [...values(name)].toSorted()]));
  } catch (error) {
    messageOf(error); // throws bugs on; for an error of the API, nothing is offered
    return {};
  }
}

/** Read conditions, one a line: "brand: Nori, Oka"; no value means stores without one. */
export function conditionsIn(text) {
  const lines = text.split(/[\r\n]+/).filter((line) => line.trim());
  const wrong = lines.find((line) => !/^[^:]*\S[^:]*:/.test(line));
  if (wrong) return { where: {}, problem: `“${wrong.trim()}” has no attribute with a colon, such as brand: Nori.` };
  const pairs = lines.map((line) => {
    const [name, ...values] = line.split(":");
    const wanted = listed(values.join(":"));
    return [name.trim(), wanted.length ? wanted : [""]];
  });
  return { where: Object.fromEntries(pairs) };
}

const trimmed = (text) => text.replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, "");

/** A request in words: "2 stores, week to 14 October 2024, 23:55 UTC". */
export function inWords(entry) {
  return [whichStores(entry.request ?? {}, entry.stores), whichTime(entry)].join(", ");
}

function whichStores({ store_ids: ids, store_count: requestedCount, where }, stores) {
  const number = requestedCount ?? ids?.length;
  if (number === 1) return `Store ${ids[0]}`;
  if (number) return count(number, "store");
  if (where) return `${stores == null ? "Stores" : count(stores, "store")} with ${conditions(where)}`;
  return "All stores";
}

const conditions = (where) =>
  Object.entries(where)
    .map(([name, values]) => `${name} ${[values].flat().map((value) => value || "none").join(" or ")}`)
    .join(", ");

/** The time that a report is about: "week to 14 October 2024, 23:55 UTC". */
export function whichTime({ request = {}, as_of: planned, status }) {
  if (request.period) return periodInWords(request.period);
  const asOf = planned ?? request.as_of;
  if (asOf) return `week to ${instant(asOf)}`;
  return status === "Failed" ? "week to the last poll, which was not planned" : "week to the last poll";
}

/** Dates are midnights of each store, and the end is not part of the period. */
function periodInWords({ from, to, by }) {
  const isDate = (edge) => edge.length === "2024-10-01".length;
  const first = isDate(from) ? longDate(from) : instant(from);
  const last = isDate(to) ? longDate(shifted(to, -1)) : instant(to);
  return `${first} to ${last}${by === "total" ? "" : `, by ${by}`}`;
}

const longDate = (date) => clock("UTC").longDate(Date.parse(date));

/** What else a request asked for, each in words. */
export function extras({ request = {}, poll_filter: filter }) {
  return [
    (request.poll_filter ?? filter) === "business_hours" && "only polls taken while open",
    request.group_by?.length && `by ${request.group_by.join(", ")}`,
    request.target_percent != null && `target ${request.target_percent}%`,
    request.include?.includes("outages") && "with outages",
  ].filter(Boolean);
}
