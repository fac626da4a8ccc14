// Make a report, and wait for it.

import { ask } from "./api.js";
import { pause } from "./dom.js";

const ASK_EVERY_MS = 500;

/**
 * Make a report, and wait until it has ended.
 *
 * @param {object} body of POST /trigger_report
 * @returns {Promise<string>} its id
 */
export async function makeReport(body) {
  const headers = { "Idempotency-Key": crypto.randomUUID() };
  const { report_id: id } = await ask("POST", "trigger_report", { body, headers });
  while ((await ask("GET", `get_report/${id}`)).status === "Running") await pause(ASK_EVERY_MS);
  return id;
}
