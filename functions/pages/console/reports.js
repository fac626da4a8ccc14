// The latest reports, and the form for a new one.

import { callApi } from "./api.js";
import { busy, byId, element, showMessage } from "./dom.js";
import { keepDraft, problemsOf, showProblems } from "./forms.js";
import { LiveList } from "./live_list.js";
import { knownAttributes, listed, requested } from "./report_request.js";
import { ReportRow } from "./report_row.js";
import { displayZone, targetPercent } from "./settings.js";

const FIELDS = { "period.from": "from", "period.to": "last" }; // of the form, by the API's names

const form = byId("request");
const list = new LiveList(
  "reports",
  (entry) => entry.report_id,
  (entry) => new ReportRow(entry, () => list.refresh()),
);

export const show = (_, signal) => list.show(signal);

async function makeReport() {
  const { body, problems } = requested(form);
  showProblems(form, problems);
  if (Object.keys(problems).length) return;
  try {
    // If the response is lost, the repeated request starts no second report.
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    const started = await callApi("POST", "trigger_report", { body, headers });
    list.prepend({ ...started, request: body, formats: body.formats, started_at: new Date().toISOString() });
  } catch (error) {
    showProblems(form, problemsOf(form, error, FIELDS));
  }
}

/** Show the fields of the chosen kind of time. */
function showTime() {
  for (const part of form.querySelectorAll("[data-time]")) part.hidden = part.dataset.time !== form.elements.time.value;
}

/** Offer the attributes of the newest report of all stores. */
async function offerAttributes() {
  const names = Object.keys(await knownAttributes("stores"));
  if (!names.length) return;
  showMessage(byId("known-attributes"), `Stores have: ${names.join(", ")}.`);
  const { group_by: field } = form.elements;
  const offer = () => {
    const typed = listed(field.value.replace(/[^,]*$/, ""));
    const further = names.filter((name) => !typed.includes(name));
    byId("attributes").replaceChildren(
      ...further.map((name) => element("option", { value: [...typed, name].join(", ") })),
    );
  };
  field.addEventListener("input", offer);
  offer();
}

form.querySelector(".zone").textContent = displayZone();
form.elements.target_percent.placeholder = targetPercent();
keepDraft(form);
showTime();
form.elements.time.addEventListener("change", showTime);
form.querySelector("details").addEventListener("toggle", offerAttributes, { once: true });
form.addEventListener("submit", (event) => {
  event.preventDefault();
  busy(event.submitter, makeReport);
});
