// Make a report, and wait for it.

import { callApi } from "./api.js";
import { pause } from "./dom.js";

const CHECK_EVERY_MS = 500;

/**
 * Make a report, and wait until it has ended.
 *
 * @param {object} body of POST /trigger_report
 * @returns {Promise<string>} its id
 */
export async function makeReport(body) {
  const headers = { "Idempotency-Key": crypto.randomUUID() };
  const { report_id: id } = await callApi("POST", "trigger_report", { body, headers });
  while ((await callApi("GET", `get_report/${id}`)).status === "Running") await pause(CHECK_EVERY_MS);
  return id;
}
