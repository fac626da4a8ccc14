// The latest reports, and new ones.

import { ask } from "./api.js";
import { busy, byId, element, showMessage } from "./dom.js";
import { ReportRow } from "./report_row.js";
import { requested } from "./report_request.js";

const PAGE = 10;
const list = byId("report-list");
const rows = new Map(); // by report id
const startedHere = new Set(); // their items; a list that was requested before may lack them
let nextPage = null;

/** Show the first page, or update it. */
export async function showReports() {
  const page = await loadPage(`reports?limit=${PAGE}`);
  if (!page) return;
  // Rows that are shown stay where they are; new ones go above the next older one.
  let older = [...list.children].find((item) => !startedHere.has(item)) ?? null;
  for (const entry of page.reports.toReversed()) {
    if (rows.has(entry.report_id)) rows.get(entry.report_id).update(entry);
    else add(entry, (item) => list.insertBefore(item, older));
    older = rows.get(entry.report_id).item;
  }
  nextPage ??= page.next_page_token ?? null;
  byId("no-reports").hidden = rows.size > 0;
  byId("more-reports").hidden = !nextPage;
}

async function showOlder() {
  const page = await loadPage(`reports?limit=${PAGE}&page_token=${encodeURIComponent(nextPage)}`);
  if (!page) return;
  for (const entry of page.reports) if (!rows.has(entry.report_id)) add(entry, (item) => list.append(item));
  nextPage = page.next_page_token ?? null;
  byId("more-reports").hidden = !nextPage;
}

async function loadPage(path) {
  showMessage(byId("list-problem"));
  try {
    return await ask("GET", path);
  } catch (error) {
    showMessage(byId("list-problem"), error.message);
    return null;
  }
}

function add(entry, insert) {
  const item = element("li", { class: "report" });
  const row = new ReportRow(item, entry);
  rows.set(entry.report_id, row);
  insert(item);
  row.follow();
}

async function makeReport(event) {
  event.preventDefault();
  const form = event.target;
  const problem = form.querySelector(".problem");
  showMessage(problem);
  try {
    const body = requested(new FormData(form));
    // If the response is lost, a repeated request starts no second report.
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    const started = await ask("POST", "trigger_report", { body, headers });
    const entry = { ...body, ...started, started_at: new Date().toISOString() };
    add(entry, (item) => {
      startedHere.add(item);
      list.prepend(item);
      item.scrollIntoView({ block: "nearest" }); // on a phone, it is below the form
    });
    byId("no-reports").hidden = true;
  } catch (error) {
    showMessage(problem, error.message);
  }
}

byId("request").addEventListener("submit", (event) => busy(event.submitter, () => makeReport(event)));
byId("refresh").addEventListener("click", (event) => busy(event.target, showReports));
byId("more-reports").addEventListener("click", (event) => busy(event.target, showOlder));
