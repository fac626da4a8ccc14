// The kinds of CSV files: their columns, an example of each, and how its header is recognised.

/** By prefix of the upload: a name, required and optional columns, and rows of an example. */
export const KINDS = {
  polls: {
    name: "Polls",
    columns: ["store_id", "status", "timestamp_utc"],
    rows: ["1,active,2024-10-14 11:05:00 UTC", "1,inactive,2024-10-14 12:07:21.5 UTC"],
  },
  business_hours: {
    name: "Business hours",
    columns: ["store_id", "day_of_week", "start_time_local", "end_time_local"],
    note: "Day 0 is Monday.",
    rows: ["1,0,09:00:00,17:30:00", "1,5,18:00:00,02:00:00"],
  },
  timezones: {
    name: "Time zones",
    columns: ["store_id", "timezone_str"],
    rows: ["1,America/New_York"],
  },
  special_hours: {
    name: "Special hours",
    columns: ["store_id", "date", "start_time_local", "end_time_local"],
    optional: ["reason"],
    note: "Without times, the store is closed on that date.",
    rows: ["1,2024-12-24,09:00,13:00,Christmas Eve", "1,2024-12-25,,,Christmas Day"],
  },
  exclusions: {
    name: "Exclusions",
    columns: ["store_id", "start_utc", "end_utc", "reason"],
    note: "Time that counts neither as up nor as down.",
    rows: ["1,2024-11-05 06:00:00 UTC,2024-11-05 09:30:00 UTC,new wiring"],
  },
  attributes: {
    name: "Attributes",
    columns: ["store_id"],
    optional: ["name", "target_percent", "revenue_per_hour", "brand", "region"],
    note: "Up to 20 columns of your own, such as brand and region here.",
    rows: ["1,Main Street,99.5,120.00,Nori,West"],
  },
};

// A column that only this kind has. Files of attributes may have columns of any name.
const UNIQUE_COLUMN = {
  polls: /\btimestamp_utc\b/,
  business_hours: /\bday(_?of_?week)?\b/,
  timezones: /\btimezone_str\b/,
  special_hours: /\bstart_time_local\b/,
  exclusions: /\bstart_utc\b/,
  attributes: /\b(target_percent|revenue_per_hour)\b/,
};
const ATTRIBUTES_FILE = /^(stores|attributes)\.csv/i;
const HEADER_BYTES = 4096;

/** A small file of a kind, as text. */
export function example({ columns, optional = [], rows }) {
  return [[...columns, ...optional].join(","), ...rows, ""].join("\n");
}

/** Guess the kind of a file, plain or gzipped; undefined if the header matches none. */
export async function kindOf(file) {
  const header = (await firstLine(file)).toLowerCase();
  const kind = Object.keys(KINDS).find((each) => UNIQUE_COLUMN[each].test(header));
  return kind ?? (ATTRIBUTES_FILE.test(file.name) ? "attributes" : undefined);
}

async function firstLine(file) {
  try {
    const zipped = /\.gz$/i.test(file.name);
    const stream = zipped ? file.stream().pipeThrough(new DecompressionStream("gzip")) : file.stream();
    const reader = stream.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    return new TextDecoder().decode(value?.slice(0, HEADER_BYTES)).split("\n", 1)[0];
  } catch {
    return ""; // ingest will report what is wrong with it
  }
}
