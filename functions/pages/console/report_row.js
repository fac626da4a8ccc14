// One report in the list: its live status and its downloads.

import { ask } from "./api.js";
import { announce, busy, element, pause, showMessage } from "./dom.js";
import { reportSummary } from "./report_summary.js";
import { count, instant, length } from "./texts.js";

const ASK_EVERY_MS = 1000;

export class ReportRow {
  #item;
  #entry;
  #following = false;

  /**
   * @param {HTMLElement} item what the row is shown in
   * @param {object} entry the report, as GET /reports lists it
   */
  constructor(item, entry) {
    this.#item = item;
    this.#entry = entry;
    this.#show();
  }

  get item() {
    return this.#item;
  }

  /** Show the status of a newer list, unless a newer status is known. */
  update(entry) {
    if (this.#entry.status !== "Running" || entry.status === "Running") return;
    this.#entry = entry;
    this.#show();
  }

  /** Poll the status of the report until it has ended. */
  async follow() {
    if (this.#following) return;
    this.#following = true;
    try {
      while (this.#entry.status === "Running") {
        const report = await ask("GET", `get_report/${this.#entry.report_id}`);
        if (report.status === "Running") this.#progress(report);
        else this.#end(report);
        if (report.status === "Running") await pause(ASK_EVERY_MS);
      }
    } catch (error) {
      this.#item.append(
        element("p", { class: "problem", role: "alert" }, error.message),
        element("button", { type: "button", click: () => this.#again() }, "Try again"),
      );
    } finally {
      this.#following = false;
    }
  }

  #again() {
    this.#show();
    this.follow();
  }

  /** Retry a failed report. */
  async #retry() {
    const started = await ask("POST", `reports/${this.#entry.report_id}/retry`);
    this.#entry = { ...this.#entry, ...started, error: null, ended_at: null };
    this.#show();
    this.follow();
  }

  #end(report) {
    if (this.#entry.status !== "Running") return; // a newer list has shown the end already
    this.#entry = { ...this.#entry, ...report };
    this.#show();
    announce(report.status === "Complete" ? "The report is complete." : "The report failed.");
  }

  #progress({ progress, warnings }) {
    this.#item.querySelector(".warnings").replaceChildren(...warningElements(warnings));
    const bar = this.#item.querySelector("progress");
    if (!bar || !progress) return;
    bar.max = progress.shards_total;
    bar.value = progress.shards_done;
    this.#item.querySelector(".shards").textContent =
      `${progress.shards_done} of ${count(progress.shards_total, "shard")}`;
  }

  #show() {
    const { status } = this.#entry;
    const parts = {
      Running: () => running(),
      Complete: () => complete(this.#entry),
      Failed: () => failed(this.#entry, () => this.#retry()),
    }[status]();
    this.#item.dataset.status = status;
    this.#item.replaceChildren(
      element(
        "div",
        { class: "head" },
        element("h3", {}, title(this.#entry)),
        element("span", { class: "badge" }, status),
      ),
      element("p", { class: "facts" }, facts(this.#entry)),
      element("div", { class: "warnings" }, ...warningElements(this.#entry.warnings)),
      ...parts,
    );
  }
}

function title({ as_of: asOf, status }) {
  if (asOf) return instant(asOf);
  return status === "Failed" ? "Failed before it was planned" : "As of the last poll";
}

function facts(entry) {
  const requested = entry.store_ids?.length;
  return [
    entry.stores != null ? count(entry.stores, "store") : requested && count(requested, "store"),
    entry.poll_filter === "business_hours" && "polls taken while open",
    `started ${instant(entry.started_at)}`,
    entry.ended_at && `took ${length(Date.parse(entry.ended_at) - Date.parse(entry.started_at))}`,
  ]
    .filter(Boolean)
    .join(" · ");
}

const warningElements = (warnings = []) =>
  warnings.map(({ message }) => element("p", { class: "warning" }, `Warning: ${message}`));

function running() {
  return [
    element("progress", { "aria-label": "Progress" }),
    element("p", { class: "shards hint" }, "Planning"),
  ];
}

function failed({ error }, retry) {
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const work = () => retry().catch(({ message }) => showMessage(problem, message));
  return [
    element("p", { class: "problem" }, error?.message ?? "The reason is not known."),
    element("p", { class: "hint" }, element("code", {}, error?.code ?? "")),
    element(
      "div",
      { class: "buttons" },
      element("button", { type: "button", click: ({ currentTarget }) => busy(currentTarget, work) }, "Try again"),
    ),
    problem,
  ];
}

function complete({ report_id: id, formats, as_of: asOf }) {
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const buttons = formats.map((format) =>
    element(
      "button",
      {
        type: "button",
        "aria-label": `Download ${format.toUpperCase()}, ${instant(asOf)}`,
        click: ({ currentTarget }) => busy(currentTarget, () => download(id, format, problem)),
      },
      format.toUpperCase(),
    ),
  );
  return [element("div", { class: "buttons" }, ...buttons), problem, reportSummary(id)];
}

/** Links expire after minutes, so they are requested when they are clicked. */
async function download(id, format, problem) {
  showMessage(problem);
  try {
    const report = await ask("GET", `get_report/${id}`);
    location.assign(report.urls[format]); // an attachment: the browser stays on the page
  } catch (error) {
    showMessage(problem, error.message);
  }
}
