// The table of the stores with the lowest uptime.

import { storeAddress } from "./addresses.js";
import { element } from "./dom.js";
import { locallySortedTable } from "./tables.js";
import { hours, number, percent } from "./texts.js";

const WORST = 10;

/**
 * Return the first of a summary's worst stores.
 *
 * @param {string} caption for screen readers
 * @param {object[]} stores as in the summary
 * @param {object} [query] parameters of the links to stores
 */
export function worstStores(caption, stores, query = {}) {
  if (!stores.length) return element("p", { class: "empty" }, "No store has data.");
  const value = (name) => ({ value: (row) => row[name] });
  return locallySortedTable({
    caption,
    sort: "uptime_percent",
    rows: stores.slice(0, WORST),
    columns: [
      {
        name: "store_id",
        head: "Store",
        isText: true,
        value: (row) => row.name ?? row.store_id,
        cell: (row) => element("a", { href: storeAddress(row.store_id, query), class: row.name ? null : "id" }, row.name ?? row.store_id),
      },
      { name: "uptime_percent", head: "Uptime", ...value("uptime_percent"), cell: (row) => percent(row.uptime_percent) },
      { name: "target_percent", head: "Target", ...value("target_percent"), cell: (row) => `${row.target_percent}%` },
      { name: "downtime_hours", head: "Down, h", ...value("downtime_hours"), cell: (row) => hours(row.downtime_hours) },
      { name: "outages", head: "Outages", ...value("outages"), cell: (row) => number(row.outages) },
    ],
  });
}
