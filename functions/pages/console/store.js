// One store: its week, its figures, and what they rest on.

import { lastList, parsed, storeAddress } from "./addresses.js";
import { callApi, messageOf } from "./api.js";
import { byId, element, refill, showMessage } from "./dom.js";
import { problemsOf, showProblems } from "./forms.js";
import { anotherWeek, storeElements } from "./store_parts.js";

const place = byId("store");
const SIMILAR = 5;

/** Show the store that the fragment names: ID?as_of=…&poll_filter=…&report_id=… */
export async function show(rest, signal) {
  const { name: id, query } = parsed(rest);
  showTitle(id, true);
  byId("store-list").href = lastList(query.report_id);
  document.title = `${id} · Store monitoring`;
  place.replaceChildren();
  place.setAttribute("aria-busy", "true");
  showMessage(byId("store-problem"));
  const weekQuery = new URLSearchParams({ ...query, store_id: id }); // not in the path: browsers resolve ".." there
  try {
    const [timeline, row] = await Promise.all([
      callApi("GET", `timeline?${weekQuery}`, { signal }),
      reportRow(id, query.report_id, signal),
    ]);
    refill(place, storeElements(timeline, row, query));
    if (row?.name) showTitle(row.name, false);
  } catch (error) {
    if (signal.aborted) return;
    if (error.code === "unknown_store") {
      showMessage(byId("store-problem"), messageOf(error));
      refill(place, await similar(id, signal));
    } else {
      const week = anotherWeek({ ...query, store_id: id }, query);
      refill(place, [week]);
      const { "": general, ...problems } = problemsOf(week.querySelector("form"), error);
      showMessage(byId("store-problem"), general);
      showProblems(week, problems);
    }
  }
  place.removeAttribute("aria-busy");
}

function showTitle(text, isId) {
  byId("store-title").textContent = text;
  byId("store-title").classList.toggle("id", isId);
}

/** The store's row of a report, by default the newest; null if it has none. */
async function reportRow(id, reportId, signal) {
  const path = reportId ? `reports/${encodeURIComponent(reportId)}/stores` : "stores";
  try {
    const { stores } = await callApi("GET", `${path}?${new URLSearchParams({ store_id: id })}`, { signal });
    return stores[0] ?? null;
  } catch (error) {
    signal.throwIfAborted();
    if (["no_report", "too_many_stores", "unknown_report"].includes(error.code)) return null;
    throw error;
  }
}

/** Links to stores with ids like this one. */
async function similar(id, signal) {
  const { stores, suggestions = [] } = await callApi("GET", `stores?${new URLSearchParams({ q: id, limit: SIMILAR })}`, { signal });
  const ids = stores.length ? stores.map((store) => store.store_id) : suggestions;
  if (!ids.length) return [];
  const links = ids.map((each) => element("li", {}, element("a", { href: storeAddress(each), class: "id" }, each)));
  return [element("p", {}, "Did you mean one of these?"), element("ul", { class: "plain-list" }, ...links)];
}
