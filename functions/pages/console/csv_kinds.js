// The kind of data in a CSV file, by its header.

export const KINDS = {
  polls: "Polls",
  business_hours: "Business hours",
  timezones: "Time zones",
  special_hours: "Special hours",
  exclusions: "Exclusions",
  attributes: "Attributes",
};

// A column that is unique to the kind. Attributes have columns of any name.
const TELLTALE = {
  polls: /\btimestamp_utc\b/,
  business_hours: /\bday(_?of_?week)?\b/,
  timezones: /\btimezone_str\b/,
  special_hours: /\bstart_time_local\b/,
  exclusions: /\bstart_utc\b/,
  attributes: /\b(target_percent|revenue_per_hour)\b/,
};
const ATTRIBUTES_FILE = /^(stores|attributes)\.csv/i;
const HEADER_BYTES = 4096;

/** Guess the kind of a file, plain or gzipped; undefined if the header matches none. */
export async function kindOf(file) {
  const header = (await firstLine(file)).toLowerCase();
  const kind = Object.keys(KINDS).find((each) => TELLTALE[each].test(header));
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
