// A store's uptime by day, week or month, up to the week that is shown.

import { callApi, messageOf } from "./api.js";
import { element, problemText, refill, showMessage } from "./dom.js";
import { series } from "./series.js";
import { plainTable } from "./tables.js";
import { inUnits, percent, toField } from "./texts.js";

const HOUR_US = 3_600_000_000;
const DAY_MS = 86_400_000;
// How far back each series goes, in days: at most 400.
const SPANS = { day: 28, week: 7 * 13, month: 365 };
const LABEL = "Uptime, window by window; the table has the numbers";
// "." and ".." cannot be in a path: browsers resolve them.
const UNREACHABLE = [".", ".."];

/**
 * A section that loads the history by itself.
 *
 * @param {object} timeline of the store
 */
export function historySection({ store_id: id, as_of: asOf, time_zone: zone, poll_filter: filter }) {
  if (UNREACHABLE.includes(id)) return null;
  const place = element("div");
  const problem = problemText();
  const select = element(
    "select",
    { "aria-label": "History by", change: () => load() },
    ...Object.keys(SPANS).map((unit) => element("option", { value: unit }, `by ${unit}`)),
  );
  let loading = new AbortController();
  const load = async () => {
    loading.abort(); // an older choice must not be shown later
    loading = new AbortController();
    const { signal } = loading;
    showMessage(problem);
    const query = new URLSearchParams({ ...span(asOf, zone.name, select.value), by: select.value, poll_filter: filter });
    try {
      const { windows } = await callApi("GET", `stores/${encodeURIComponent(id)}/history?${query}`, { signal });
      refill(place, [series(LABEL, windows.map(bar)), element("details", {}, element("summary", {}, "The history as a table"), table(windows))]);
    } catch (error) {
      if (!signal.aborted) showMessage(problem, messageOf(error));
    }
  };
  load();
  return element("section", { class: "history" }, element("div", { class: "head" }, element("h2", {}, "History"), select), problem, place);
}

/** The local dates of a series that ends with the day of `asOf`. */
function span(asOf, zone, unit) {
  const last = Date.parse(toField(asOf, zone).slice(0, 10));
  const date = (instant) => new Date(instant).toISOString().slice(0, 10);
  return { from: date(last - (SPANS[unit] - 1) * DAY_MS), to: date(last + DAY_MS) };
}

const bar = ({ start_local: start, uptime_percent: uptime, downtime_us: down }) => ({
  percent: uptime,
  text: `${start.slice(0, 10)}: ${percent(uptime)} up, ${hours(down)} h down`,
});
const hours = (microseconds) => inUnits(microseconds, HOUR_US);

function table(windows) {
  const lines = windows.toReversed().map((window) => [
    window.start_local.slice(0, 10),
    percent(window.uptime_percent),
    hours(window.uptime_us),
    hours(window.downtime_us),
    hours(window.no_data_us),
    String(window.outages),
  ]);
  return plainTable(["From", "Uptime", "Up, h", "Down, h", "No data, h", "Outages"], lines);
}
