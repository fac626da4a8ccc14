// The reference, shown by Swagger UI. The document is the same for every deployment; this page adds
// the address of this one, and ids with which calls can be tried.

const base = new URL(".", location.href);
const key = sessionStorage.getItem("api-key") ?? ""; // the console keeps it in this tab
const headers = key ? { "x-api-key": key } : {};

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

/** The first item of a list of the API; undefined if there is none, or a key is needed. */
async function first(path, name) {
  const response = await fetch(new URL(path, base), { headers });
  return response.ok ? (await response.json())[name][0] : undefined;
}

/** Ids that this deployment has, by the name of the parameter. */
async function knownIds() {
  const report = await first("reports?limit=1", "reports");
  if (!report) return {};
  const [store, upload] = await Promise.all([first("stores?limit=1", "stores"), first("uploads?limit=1", "uploads")]);
  return { report_id: report.report_id, store_id: store?.store_id, upload_id: upload?.upload_id };
}

/** Give required parameters an id as their example, which Swagger UI fills in. */
function addExamples(paths, ids) {
  const operations = Object.values(paths).flatMap(Object.values);
  for (const parameter of operations.flatMap(({ parameters = [] }) => parameters)) {
    if (parameter.required && ids[parameter.name]) parameter.example = ids[parameter.name];
  }
}

const [spec, ids] = await Promise.all([
  fetch(new URL("openapi.json", base)).then((response) => response.json()),
  knownIds().catch(() => ({})),
]);
spec.servers = [{ url: base.href.replace(/\/$/, "") }];
addExamples(spec.paths, ids);
const ui = SwaggerUIBundle({
  spec,
  dom_id: "#docs",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
  validatorUrl: null, // a service elsewhere, which need not know of us
  onComplete: () => key && ui.preauthorizeApiKey("api_key", key),
});
