// One upload in the list: its status and its outcome.

import { actionButton } from "./action_button.js";
import { callApi, messageOf } from "./api.js";
import { announce, element, pause, problemText, refill, showMessage } from "./dom.js";
import { KINDS } from "./csv_kinds.js";
import { count, instant, number } from "./texts.js";

const CHECK_EVERY_MS = 1000;
const UNFINISHED = ["Pending", "Retrying"];
const STATES = {
  Pending: "Queued",
  Retrying: "Trying again",
  Committed: "Ingested",
  Unchanged: "Already ingested",
  Failed: "Failed",
  Expired: "Never arrived",
};

/** An entry as text, without the link, which differs in each response. */
const withoutLink = (entry) => JSON.stringify({ ...entry, rejects_url: undefined, expires_at: undefined });

export class UploadRow {
  #entry;
  #following = false;
  #status = element("div", { class: "status" });
  #problem = problemText();

  /** @param {object} entry the upload, as GET /uploads lists it */
  constructor(entry) {
    this.#entry = entry;
    this.item = element("li", { class: "upload" }, this.#status, this.#problem);
    this.#show();
  }

  /** Show the entry of a newer list, unless a newer status is known. */
  update(entry) {
    if (UNFINISHED.includes(entry.status) && !UNFINISHED.includes(this.#entry.status)) return;
    const updated = { ...this.#entry, ...entry };
    if (withoutLink(updated) === withoutLink(this.#entry)) return;
    this.#entry = updated;
    this.#show();
  }

  /** Follow the upload until its outcome is known, or until the signal is aborted. */
  async follow(signal) {
    if (this.#following || !this.#entry.upload_id) return;
    this.#following = true;
    try {
      while (UNFINISHED.includes(this.#entry.status) && !signal.aborted) {
        this.update(await callApi("GET", this.#path, { signal }));
        if (UNFINISHED.includes(this.#entry.status)) await pause(CHECK_EVERY_MS, signal);
        else announce(`${this.#entry.filename}: ${STATES[this.#entry.status]}.`);
      }
    } catch (error) {
      if (!signal.aborted) showMessage(this.#problem, messageOf(error));
    } finally {
      this.#following = false;
    }
  }

  get #path() {
    return `uploads/${encodeURIComponent(this.#entry.upload_id)}`;
  }

  #show() {
    const entry = this.#entry;
    const isPartial = entry.rejected > 0;
    this.item.dataset.status = isPartial ? "Partial" : entry.status;
    refill(this.#status, [
      element(
        "div",
        { class: "head" },
        element("h3", { class: "id" }, entry.filename),
        element("span", { class: "badge" }, isPartial ? "Partly ingested" : STATES[entry.status]),
      ),
      element("p", { class: "facts" }, facts(entry)),
      entry.reason && element("p", { class: entry.status === "Failed" ? "problem" : "warning" }, why(entry)),
      entry.stores_with_rejected_rows && keptStores(entry.stores_with_rejected_rows),
      isPartial && this.#rejects(),
    ].filter(Boolean));
  }

  /** The first rejected rows, and a button for all of them. */
  #rejects() {
    const { rejected, rejected_rows: rows = [] } = this.#entry;
    const all = `All ${count(rejected, "rejected row")}, with reasons`;
    const heads = ["Line", "Why", "Row"].map((text) => element("th", { scope: "col" }, text));
    const lines = rows.map(({ line, reason, text }) =>
      element("tr", {}, element("td", {}, number(line)), element("td", {}, reason), element("td", { class: "id" }, text)),
    );
    return element(
      "details",
      { open: true },
      element("summary", {}, count(rejected, "rejected row")),
      rows.length > 0 &&
        element(
          "div",
          { class: "scrolling", tabindex: "0", role: "region", "aria-label": "Rejected rows" },
          element("table", { class: "plain" }, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...lines)),
        ),
      element("div", { class: "buttons" }, actionButton(all, this.#problem, () => this.#download())),
    );
  }

  /** Links expire after minutes, so one is requested when the button is pressed. */
  async #download() {
    location.assign((await callApi("GET", this.#path)).rejects_url);
  }
}

function facts({ kind, created_at: created, rows, rejected, status }) {
  return [
    KINDS[kind]?.name ?? "Not under the prefix of a kind",
    `uploaded ${instant(created)}`,
    rows != null && `${count(rows, "row")} ${status === "Unchanged" ? "known before" : "taken"}`,
    rejected > 0 && `${number(rejected)} rejected`,
  ]
    .filter(Boolean)
    .join(" · ");
}

const why = ({ status, reason }) => (status === "Failed" ? `Nothing was ingested: ${reason}` : `Trying again: ${reason}`);

/** The stores that keep their previous data, since some of their rows were rejected. */
function keptStores({ count: stores, store_ids: ids }) {
  const shown = ids.join(", ") + (stores > ids.length ? ", …" : "");
  const text = `${count(stores, "store")} with rejected rows, which keep their previous data: ${shown}`;
  return element("p", { class: "warning" }, text);
}
