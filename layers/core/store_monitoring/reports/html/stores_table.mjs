// The table of stores: search, filters, sorting and pages, over the data that the page carries.

const element = (id) => document.getElementById(id);
const data = JSON.parse(element("stores-data").textContent);
const stores = data.store_id.map((_, store) => store); // indices; the worst store is the first
const searched = data.store_id.map((id, store) => `${id}\n${data.name[store] ?? ""}`.toLowerCase());
const table = element("stores-table");
const columns = [...table.tHead.rows[0].cells].map((head) => ({ head, ...head.dataset }));
const whole = new Intl.NumberFormat("en-US");
const allStores = whole.format(stores.length);

const shownAs = {
  text: (value) => value,
  state: (value) => value,
  status: (value) => value,
  number: (value) => value.toFixed(2),
  target: (value) => value.toFixed(4).replace(/0{1,2}$/, ""),
  count: (value) => whole.format(value),
  instant: (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " "),
};
const filters = {
  all: () => true,
  down: (store) => data.state[store] === "down",
  silent: (store) => data.state[store] === "no data",
  missed: (store) => data.target_last_week[store] === "missed",
};

let sorted = columns.find(({ name }) => name === "uptime_percent_last_week");
let descending = false;
let matching = stores;
let page = 0;

function select() {
  const text = element("search").value.trim().toLowerCase();
  const isShown = filters[element("show").value];
  const below = element("below").valueAsNumber;
  const isBelow = (uptime) => Number.isNaN(below) || (uptime !== null && uptime < below);
  matching = stores.filter(
    (store) =>
      isShown(store) && isBelow(data.uptime_percent_last_week[store]) && searched[store].includes(text),
  );
  matching.sort(comparison(data[sorted.name]));
  page = 0;
  render();
}

// Unknown values come last in both directions.
function comparison(values) {
  const sign = descending ? -1 : 1;
  return (a, b) => {
    const [left, right] = [values[a], values[b]];
    if (left === right) return 0;
    if (left === null) return 1;
    if (right === null) return -1;
    return left < right ? -sign : sign;
  };
}

function render() {
  const pageRows = Number(element("page-rows").value);
  const first = page * pageRows;
  const shown = matching.slice(first, first + pageRows);
  table.tBodies[0].replaceChildren(...shown.map(row));
  element("place").textContent = shown.length
    ? `${whole.format(first + 1)}–${whole.format(first + shown.length)} of ` +
      `${whole.format(matching.length)} stores${matching.length < stores.length ? `, of ${allStores} in all` : ""}`
    : `Not among these ${allStores} stores`;
  element("previous").disabled = first === 0;
  element("next").disabled = first + shown.length >= matching.length;
}

function row(store) {
  return rowOf(columns.map(({ name }) => data[name][store]));
}

function rowOf(values) {
  const cells = columns.map(({ kind }, index) => {
    const cell = document.createElement(index === 0 ? "th" : "td");
    if (index === 0) cell.scope = "row";
    const value = values[index];
    cell.className = index === 0 ? "id" : kind;
    if (kind === "state" || kind === "status") cell.dataset.state = value;
    cell.textContent = value === null ? "–" : shownAs[kind](value);
    if (index === 0) cell.title = cell.textContent;
    return cell;
  });
  const line = document.createElement("tr");
  line.append(...cells);
  return line;
}

// The longest value of a column, for a collapsed row that keeps the widths of columns constant.
function widest({ name, kind }) {
  const length = (value) => (value === null ? 0 : shownAs[kind](value).length);
  return data[name].reduce((longest, value) => (length(value) > length(longest) ? value : longest), null);
}

function sortBy(column) {
  descending = sorted === column && !descending;
  sorted.head.setAttribute("aria-sort", "none");
  sorted = column;
  column.head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  select();
}

function filterBy(name) {
  element("show").value = name;
  element("search").value = element("below").value = "";
  select();
}

function turn(pages) {
  page += pages;
  render();
  element("stores-region").scrollTo({ top: 0 });
}

for (const column of columns) {
  column.head.querySelector("button").addEventListener("click", () => sortBy(column));
}
for (const id of ["search", "show", "below", "page-rows"]) {
  element(id).addEventListener("input", select);
}
for (const link of document.querySelectorAll("[data-show]")) {
  link.addEventListener("click", () => filterBy(link.dataset.show));
}
element("previous").addEventListener("click", () => turn(-1));
element("next").addEventListener("click", () => turn(1));
element("without-script").remove();
for (const id of ["stores-controls", "stores-region", "stores-pages"]) {
  element(id).hidden = false;
}
table.tFoot.append(rowOf(columns.map(widest)));
sorted.head.setAttribute("aria-sort", "ascending");
select();
