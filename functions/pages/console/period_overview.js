// The figures of a report on a period: in all, window by window, and by group.

import { groupAddress } from "./addresses.js";
import { element } from "./dom.js";
import { series } from "./series.js";
import { locallySortedTable, plainTable } from "./tables.js";
import { count, hours, money, number, percent } from "./texts.js";
import { worstStores } from "./worst_stores.js";

/** Return the parts of the overview: tiles, and sections. */
export function periodParts(summary) {
  const { total, outages, windows, groups, silent_stores: silent, worst_stores: worst, stores_by_uptime_percent: bins } = summary;
  return {
    tiles: [
      tile("Uptime", percent(total.uptime_percent), total.coverage_percent === null ? "closed" : `${percent(total.coverage_percent)} of the time seen`),
      tile("Down, hours", hours(total.downtime_hours)),
      tile("Below target", number(total.stores_missed), `${number(total.stores_met)} met`),
      tile("Outages", number(outages)),
      tile("Silent at its end", number(silent), "stores without a poll in the last day"),
      total.lost_revenue === null ? null : tile("Lost revenue", money(total.lost_revenue)),
    ],
    sections: [
      ["Window by window", series("Uptime, window by window; the table has the numbers", windows.map(bar)), windowsTable(windows)],
      ["Worst stores of the period", worstStores("Worst stores of the period", worst)],
      ["Stores by uptime, % of the period", plainTable(["Uptime", "Stores"], bins.map(({ label, stores }) => [label, number(stores)]))],
      groups.length > 0 && ["Groups", groupsTable(groups)],
    ].filter(Boolean),
  };
}

function tile(name, value, note = null) {
  return element(
    "div",
    { class: "tile" },
    element("dt", {}, name),
    element("dd", { class: "value" }, value),
    note && element("dd", { class: "note" }, note),
  );
}

const bar = ({ window_start: start, uptime_percent: uptime, downtime_hours: down }) => ({
  percent: uptime,
  text: `${start}: ${percent(uptime)} up, ${hours(down)} h down`,
});

function windowsTable(windows) {
  const lines = windows.map((window) => [
    window.window_start,
    percent(window.uptime_percent),
    hours(window.uptime_hours),
    hours(window.downtime_hours),
    hours(window.no_data_hours),
    number(window.outages),
  ]);
  return plainTable(["From", "Uptime", "Up, h", "Down, h", "No data, h", "Outages"], lines);
}

/** Each group in the whole period. */
function groupsTable(groups) {
  const names = Object.keys(groups[0].group);
  const rows = groups.map(({ group, total, outages }) => ({
    group,
    name: names.map((name) => group[name] || "none").join(", "),
    uptime: total.uptime_percent,
    down: total.downtime_hours,
    missed: total.stores_missed,
    outages,
  }));
  const column = (name, head, cell) => ({ name, head, value: (row) => row[name], cell: (row) => (row[name] === null ? null : cell(row[name])) });
  return locallySortedTable({
    caption: count(groups.length, "group"),
    sort: "uptime",
    rows,
    columns: [
      { ...column("name", names.join(", ")), isText: true, cell: ({ group, name }) => element("a", { href: groupAddress(group) }, name) },
      column("uptime", "Uptime", percent),
      column("down", "Down, h", hours),
      column("missed", "Below target", number),
      column("outages", "Outages", number),
    ],
  });
}
