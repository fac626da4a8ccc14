// The report of the week before another one: to say what has changed.

import { ask } from "./api.js";
import { pause } from "./dom.js";

const WEEK_MS = 7 * 86_400_000;
const TOLERANCE_MS = 12 * 3_600_000;
const LATEST = 100; // how many reports are looked at
const ASK_EVERY_MS = 500;

/**
 * Find the report of all stores that is about the week before a report.
 *
 * @param {{as_of: string, request: object}} report
 * @param {AbortSignal} [signal]
 * @returns {Promise<object|null>} its entry in the list of reports
 */
export async function weekBefore({ as_of: asOf, request }, signal) {
  const { reports } = await ask("GET", `reports?limit=${LATEST}`, { signal });
  const distance = (entry) => Math.abs(Date.parse(entry.as_of) + WEEK_MS - Date.parse(asOf));
  const isComparable = ({ headline, request: other }) =>
    headline && !other.store_ids && !other.where && other.poll_filter === request.poll_filter;
  const candidates = reports.filter((entry) => isComparable(entry) && distance(entry) <= TOLERANCE_MS);
  return candidates.toSorted((a, b) => distance(a) - distance(b))[0] ?? null;
}

/** Make the report of the week before, and wait until it has ended. */
export async function makeWeekBefore({ as_of: asOf, request: { poll_filter } }) {
  const body = { as_of: new Date(Date.parse(asOf) - WEEK_MS).toISOString(), poll_filter };
  const headers = { "Idempotency-Key": crypto.randomUUID() };
  const { report_id: id } = await ask("POST", "trigger_report", { body, headers });
  while ((await ask("GET", `get_report/${id}`)).status === "Running") await pause(ASK_EVERY_MS);
}
