// Tables whose headers sort them, by the API's notation: "name" ascending, "-name" descending.

import { element, refill } from "./dom.js";

/**
 * @typedef {object} Column
 * @property {string} name
 * @property {string} head what people read
 * @property {(row: object) => (string|Node|null)} cell null: nothing is known
 * @property {boolean} [isText] text is aligned left, and is not sorted by size
 */

/**
 * Create a table.
 *
 * @param {object} options
 * @param {string} options.caption what the table is about; for screen readers
 * @param {Column[]} options.columns the first is the header of each row
 * @param {object[]} options.rows
 * @param {string} options.sort how the rows are sorted
 * @param {(sort: string) => void} options.onSort called when a header is pressed
 */
export function sortableTable({ caption, columns, rows, sort, onSort }) {
  return element(
    "div",
    { class: "wide-table", tabindex: "0", role: "region", "aria-label": caption },
    element(
      "table",
      { class: "data" },
      element("caption", { class: "unseen" }, caption),
      element("thead", {}, element("tr", {}, ...columns.map((column) => headCell(column, sort, onSort)))),
      element("tbody", { click: openRow }, ...rows.map((row) => element("tr", {}, ...columns.map((column, index) => dataCell(column, index, row))))),
    ),
  );
}

/** A row opens what its header links to; text that is selected and further links stay usable. */
function openRow(event) {
  const link = event.target.closest("tr").querySelector("th a");
  if (!link || event.target.closest("a") || !getSelection().isCollapsed) return;
  if (event.ctrlKey || event.metaKey) window.open(link.href);
  else link.click();
}

function headCell({ name, head, isText }, sort, onSort) {
  const direction = { [name]: "ascending", [`-${name}`]: "descending" }[sort];
  const next = sort === name ? `-${name}` : name;
  return element(
    "th",
    { scope: "col", class: isText && "text", "aria-sort": direction ?? "none" },
    element("button", { type: "button", click: () => onSort(next) }, head),
  );
}

function dataCell({ cell, isText }, index, row) {
  const content = cell(row);
  const attributes = { class: [isText && "text", content == null && "unknown"].filter(Boolean).join(" ") || null };
  return index === 0
    ? element("th", { scope: "row", ...attributes }, content ?? "–")
    : element("td", attributes, content ?? "–");
}

/** A sortable table that has all rows and sorts them itself, by the `value` of their columns. */
export function locallySortedTable(options) {
  const place = element("div");
  const show = (sort) => {
    const rows = sorted(options.rows, options.columns, sort);
    refill(place, [sortableTable({ ...options, rows, sort, onSort: show })]);
  };
  show(options.sort);
  return place;
}

/** Sort rows; those without a value come last. */
function sorted(rows, columns, sort) {
  const name = sort.replace(/^-/, "");
  const sign = sort.startsWith("-") ? -1 : 1;
  const { value } = columns.find((column) => column.name === name);
  return rows.toSorted((a, b) => {
    const [first, second] = [value(a), value(b)];
    if (first == null || second == null) return (first == null) - (second == null);
    return sign * (typeof first === "string" ? first.localeCompare(second) : first - second);
  });
}

/** A table of plain texts, in a box that scrolls. */
export function plainTable(heads, lines) {
  const head = heads.map((text) => element("th", { scope: "col" }, text));
  const rows = lines.map((cells) => element("tr", {}, ...cells.map((text) => element("td", {}, text))));
  return element(
    "div",
    { class: "scrolling", tabindex: "0", role: "region", "aria-label": heads.join(", ") },
    element("table", { class: "plain" }, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows)),
  );
}
