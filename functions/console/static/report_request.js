// What a report is asked for, out of its form.

/** Read the form: the body of POST /trigger_report, in which CSV goes without saying. */
export function requested(form) {
  const ids = form.get("store_ids").split("\n").map(trimmed);
  const given = ids.filter(Boolean);
  return {
    as_of: utc(form.get("as_of")),
    store_ids: given.length ? given : null,
    poll_filter: form.get("poll_filter"),
    formats: ["csv", ...form.getAll("formats")],
  };
}

/** A store id as ingest stores it: without ASCII whitespace around it; other spaces belong to it. */
export function trimmed(id) {
  return id.replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, "");
}

/** "2024-10-14T12:00" of a field that says it is in UTC; empty: null */
export function utc(text) {
  return text ? `${text}Z` : null;
}
