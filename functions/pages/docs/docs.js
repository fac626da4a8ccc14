// The reference, shown by Swagger UI. The document is the same for every deployment; this page adds
// the address of this one, and ids with which calls can be tried.

const base = new URL(".", location.href);
const key = sessionStorage.getItem("api-key") ?? ""; // the console keeps it in this tab
const headers = key ? { "x-api-key": key } : {};

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

const DAY_MS = 86_400_000;

/** The first page of a list of the API; empty if the call fails, for example without a key. */
async function listed(name) {
  const response = await fetch(new URL(`${name}?limit=100`, base), { headers });
  return response.ok ? await response.json() : { [name]: [] };
}

/**
 * Values with which calls succeed in this deployment, as far as there are any.
 *
 * @returns {Promise<(path: string) => Object<string, string>>} by the name of the parameter, for a path
 */
async function knownValues() {
  const { reports } = await listed("reports");
  if (!reports.length) return () => ({});
  const [{ stores, report: newest }, { uploads }] = await Promise.all([listed("stores"), listed("uploads")]);
  const complete = reports.find(({ status, request }) => status === "Complete" && !request?.period);
  const failed = reports.find(({ status, can_retry: canRetry }) => status === "Failed" && canRetry !== false);
  const store = stores.find(({ store_id: id }) => ![".", ".."].includes(id)); // those cannot be in a path
  const others = { store_id: store?.store_id, upload_id: uploads.find(({ upload_id: id }) => id)?.upload_id, ...lastDays(newest?.as_of) };
  return (path) => ({ ...others, report_id: (path.endsWith("/retry") ? failed : (newest ?? complete ?? reports[0]))?.report_id });
}

/** The dates of the week up to an instant. */
function lastDays(asOf) {
  if (!asOf) return {};
  const date = (instant) => new Date(instant).toISOString().slice(0, 10);
  return { from: date(Date.parse(asOf) - 7 * DAY_MS), to: date(Date.parse(asOf)) };
}

/** Give required parameters an example, which Swagger UI fills in. */
function addExamples(paths, valuesOf) {
  for (const [path, operations] of Object.entries(paths)) {
    const values = valuesOf(path);
    for (const parameter of Object.values(operations).flatMap(({ parameters = [] }) => parameters)) {
      if (parameter.required && values[parameter.name]) parameter.example = values[parameter.name];
    }
  }
}

const [spec, valuesOf] = await Promise.all([
  fetch(new URL("openapi.json", base)).then((response) => response.json()),
  knownValues().catch(() => () => ({})),
]);
spec.servers = [{ url: base.href.replace(/\/$/, "") }];
addExamples(spec.paths, valuesOf);
const ui = SwaggerUIBundle({
  spec,
  dom_id: "#docs",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
  validatorUrl: null, // do not send the document to an external service
  onComplete: () => key && ui.preauthorizeApiKey("api_key", key),
});
