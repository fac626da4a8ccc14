// The fragments of the URL that name what is shown.

/** #stores?…, the rows of a report; null: of the newest one. */
export function storesAddress(query, reportId = null) {
  const given = Object.entries({ ...query, report: reportId }).filter(([, value]) => value != null && value !== "");
  const text = new URLSearchParams(given).toString();
  return text ? `#stores?${text}` : "#stores";
}

/** #store/ID?… */
export function storeAddress(id, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value != null && value !== "");
  const text = new URLSearchParams(given).toString();
  return `#store/${encodeURIComponent(id)}${text && `?${text}`}`;
}

/** The reverse of both: what comes before the question mark, decoded, and the query. */
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
