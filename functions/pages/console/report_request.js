// The request for a report, read from its form.

/** Read the form: the body of POST /trigger_report, without CSV, which is always included. */
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

/** A store id as ingest stores it: without ASCII whitespace around it; other spaces are part of it. */
export function trimmed(id) {
  return id.replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, "");
}

/** The timestamp of a field in UTC such as "2024-10-14T12:00"; null if the field is empty. */
export function utc(text) {
  return text ? `${text}Z` : null;
}
