// The form for a new report, and requests in words.

import { halfTyped } from "./forms.js";
import { displayZone, targetPercent } from "./settings.js";
import { count, instant, toInstant } from "./texts.js";

const MOST_GROUPS = 3;

/**
 * Read the form.
 *
 * @param {HTMLFormElement} form
 * @returns {{body: object, problems: Object<string, string>}}
 *   the body of POST /trigger_report, and what is wrong, by field
 */
export function requested(form) {
  const fields = new FormData(form);
  const asOf = fields.get("as_of");
  const ids = listed(fields.get("store_ids"));
  const groups = listed(fields.get("group_by"));
  const target = fields.get("target_percent") || targetPercent();
  const body = {
    ...(asOf && { as_of: toInstant(asOf, displayZone()) }),
    ...(ids.length > 0 && { store_ids: ids }),
    ...(groups.length > 0 && { group_by: groups }),
    ...(target && { target_percent: Number(target) }),
    ...(fields.has("include") && { include: fields.getAll("include") }),
    poll_filter: fields.get("poll_filter"),
    formats: ["csv", ...fields.getAll("formats")],
  };
  const problems = {
    ...(target && !(Number(target) > 0 && Number(target) <= 100) && { target_percent: "A target is above 0 and at most 100." }),
    ...(groups.length > MOST_GROUPS && { group_by: `At most ${MOST_GROUPS} attributes.` }),
    ...halfTyped(form),
  };
  return { body, problems };
}

/**
 * Split a list that was typed or pasted; quotes protect commas, as in CSV.
 *
 * Only ASCII whitespace is dropped around a value: ingest does so, too.
 */
export function listed(text) {
  const values = text.matchAll(/"((?:[^"]|"")*)"|[^",\n\r\t]+/g);
  return [...new Set([...values].map(([value, quoted]) => quoted?.replaceAll('""', '"') ?? trimmed(value)))].filter(Boolean);
}

const trimmed = (text) => text.replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, "");

/** A request in words: "2 stores, week to 14 October 2024, 23:55 UTC". */
export function inWords({ request = {}, as_of: asOf, stores, status }) {
  return [whichStores(request, stores), whichTime(asOf ?? request.as_of, status)].join(", ");
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

const whichTime = (asOf, status) => {
  if (asOf) return `week to ${instant(asOf)}`;
  return status === "Failed" ? "week to the last poll, which was not planned" : "week to the last poll";
};

/** What else a request asked for, each in words. */
export function extras({ request = {}, poll_filter: filter }) {
  return [
    (request.poll_filter ?? filter) === "business_hours" && "only polls taken while open",
    request.group_by?.length && `by ${request.group_by.join(", ")}`,
    request.target_percent != null && `target ${request.target_percent}%`,
    request.include?.includes("outages") && "with outages",
  ].filter(Boolean);
}
