// The fragments of the URL that name what is shown.

const LIST = "stores-list"; // in this tab: the list of stores that was shown last

/** #stores?…, the rows of a report: `query.report`; without it, of the newest one. */
export const storesAddress = (query) => address("#stores", query);

/** The rows of a group's stores; a store without a value has the value "". */
export function groupAddress(group, query = {}) {
  const where = Object.fromEntries(Object.entries(group).map(([name, value]) => [name, value ?? ""]));
  return storesAddress({ ...query, where: JSON.stringify(where) });
}

/** #store/ID?… */
export const storeAddress = (id, query = {}) => address(`#store/${encodeURIComponent(id)}`, query);

function address(path, query) {
  const given = Object.entries(query).filter(([, value]) => value != null && value !== "");
  const text = new URLSearchParams(given).toString();
  return text ? `${path}?${text}` : path;
}

/** The reverse: the part of an address before the question mark, decoded, and its query. */
export function parsed(rest) {
  const [name, query = ""] = rest.split("?");
  return { name: decoded(name), query: Object.fromEntries(new URLSearchParams(query)) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // typed by hand, with a literal percent sign
  }
}

/** Keep the list of stores that is shown, to go back to it from a store. */
export const keepList = (query) => sessionStorage.setItem(LIST, JSON.stringify(query));

/** The address of the last list of stores if it was of this report, otherwise of all its stores. */
export function lastList(report) {
  const query = JSON.parse(sessionStorage.getItem(LIST) ?? "{}");
  return storesAddress(query.report === report ? query : { report });
}
