// One report in the list: its figures, its files, and its status while it runs.

import { actionButton } from "./action_button.js";
import { callApi, messageOf } from "./api.js";
import { announce, element, pause, problemText, refill, showMessage } from "./dom.js";
import { downloadButtons, openReport } from "./report_files.js";
import { extras, inWords } from "./report_request.js";
import { count, exactInstant, length, money, number, percent, sentence } from "./texts.js";

const CHECK_EVERY_MS = 1000;

export class ReportRow {
  #entry;
  #onEnd;
  #following = false;
  #signal;
  #problem = problemText();
  #status = element("div", { class: "status" });

  /**
   * @param {object} entry the report, as GET /reports lists it
   * @param {() => void} onEnd called when the report has ended
   */
  constructor(entry, onEnd) {
    this.#entry = entry;
    this.#onEnd = onEnd;
    this.item = element("li", { class: "report" }, this.#status, this.#problem);
    this.#show();
  }

  /** Show the entry of a newer list, unless a newer status is known. */
  update(entry) {
    if (entry.status === "Running" && this.#entry.status === "Failed") this.#askAgain(entry);
    if (entry.status === "Running" || JSON.stringify(entry) === JSON.stringify(this.#entry)) return;
    this.#entry = entry;
    this.#show();
  }

  /** Follow the report until it has ended, or until the signal is aborted. */
  async follow(signal) {
    this.#signal = signal;
    if (this.#following) return;
    this.#following = true;
    try {
      while (this.#entry.status === "Running" && !signal.aborted) {
        const report = await callApi("GET", `get_report/${this.#entry.report_id}`, { signal });
        if (report.status === "Running") this.#progress(report);
        else this.#end(report);
        if (report.status === "Running") await pause(CHECK_EVERY_MS, signal);
      }
    } catch (error) {
      if (!signal.aborted) showMessage(this.#problem, messageOf(error));
    } finally {
      this.#following = false;
    }
  }

  /** The report was retried elsewhere, unless the list is older than the failure. */
  async #askAgain(entry) {
    const { status } = await callApi("GET", `get_report/${entry.report_id}`, { signal: this.#signal }).catch(() => ({}));
    if (status !== "Running" || this.#entry.status !== "Failed") return;
    this.#entry = entry;
    this.#show();
    await this.follow(this.#signal);
  }

  #end(report) {
    if (this.#entry.status !== "Running") return; // a newer list has shown the end already
    this.#entry = { ...this.#entry, ...report };
    this.#show();
    announce(report.status === "Complete" ? "The report is complete." : "The report failed.");
    this.#onEnd();
  }

  #progress({ progress, warnings }) {
    this.#status.querySelector(".warnings").replaceChildren(...warningElements(warnings));
    const bar = this.#status.querySelector("progress");
    if (!bar || !progress) return;
    bar.max = progress.shards_total;
    bar.value = progress.shards_done;
    const share = Math.floor((100 * progress.shards_done) / progress.shards_total);
    this.#status.querySelector(".progress").textContent = `Computing the stores: ${share}%`;
  }

  async #retry() {
    const started = await callApi("POST", `reports/${this.#entry.report_id}/retry`);
    this.#entry = { ...this.#entry, ...started, error: null, ended_at: null };
    this.#show();
    await this.follow(this.#signal);
  }

  #show() {
    const entry = this.#entry;
    this.item.dataset.status = entry.status;
    showMessage(this.#problem);
    refill(this.#status, [
      element(
        "div",
        { class: "head" },
        element("h3", {}, inWords(entry), element("small", {}, ` started ${exactInstant(entry.started_at)}`)),
        element("span", { class: "badge" }, entry.status),
      ),
      element("p", { class: "facts" }, facts(entry)),
      element("div", { class: "warnings" }, ...warningElements(entry.warnings)),
      ...{
        Running: () => running(),
        Complete: () => [headline(entry), this.#files()],
        Failed: () => [element("p", { class: "problem" }, failure(entry)), this.#retryButton()],
      }[entry.status](),
    ]);
  }

  #files() {
    const { report_id: id, formats, request, headline: hasSummary } = this.#entry;
    return element(
      "div",
      { class: "buttons" },
      formats.includes("html") && openReport(id, this.#problem),
      ...downloadButtons(id, { ...request, formats }, this.#problem),
      hasSummary && element("a", { href: `#overview/${id}` }, "Figures"),
    );
  }

  #retryButton() {
    if (this.#entry.can_retry === false) return null;
    return element("div", { class: "buttons" }, actionButton("Try again", this.#problem, () => this.#retry()));
  }
}

function facts(entry) {
  return [
    entry.stores != null && count(entry.stores, "store"),
    ...extras(entry),
    entry.ended_at && `took ${length(Date.parse(entry.ended_at) - Date.parse(entry.started_at))}`,
  ]
    .filter(Boolean)
    .join(" · ");
}

/** The figures of the list: what a manager looks at first. */
function headline({ headline: figures }) {
  if (!figures) return null;
  const { now, uptime_percent: uptime, stores_missed: missed, lost_revenue_last_week: lost } = figures;
  if (!now) return periodHeadline(figures);
  const facts = [
    `${number(now.down)} down now`,
    now.no_data > 0 && `${number(now.no_data)} without data`,
    `${count(missed.last_week, "store")} below target`,
    lost && `${money(lost)} lost`,
  ];
  return element(
    "p",
    { class: "headline" },
    element("strong", {}, percent(uptime.last_week)),
    ` up in the week · ${facts.filter(Boolean).join(" · ")}`,
  );
}

/** The figures of a report on a period. */
function periodHeadline({ uptime_percent: uptime, outages, lost_revenue: lost }) {
  const facts = [count(outages, "outage"), lost && `${money(lost)} lost`].filter(Boolean);
  return element("p", { class: "headline" }, element("strong", {}, percent(uptime)), ` up · ${facts.join(" · ")}`);
}

const warningElements = (warnings = []) =>
  warnings.map(({ message }) => element("p", { class: "warning" }, `Warning: ${message}`));

function running() {
  return [
    element("progress", { "aria-label": "Progress" }),
    element("p", { class: "progress hint" }, "Planning"),
  ];
}

function failure({ error }) {
  if (!error) return "The report failed; the reason is not known.";
  return sentence(error.message);
}
