// Uploads: the kind of each file, its progress and its outcome.

import { busy, byId, element, showMessage } from "./dom.js";
import { KINDS, kindOf } from "./csv_kinds.js";
import { outcomeOf, send } from "./upload.js";
import { count, size } from "./texts.js";

const list = byId("upload-list");
const input = byId("files");
const drop = byId("drop");

async function addFile(file) {
  const kind = element(
    "select",
    { "aria-label": `Contents of ${file.name}` },
    element("option", { value: "" }, "Select its contents"),
    ...Object.entries(KINDS).map(([value, name]) => element("option", { value }, name)),
  );
  const status = element("div", { class: "outcome", role: "status" });
  const button = element(
    "button",
    { type: "button", class: "primary", click: () => busy(button, () => upload(file, kind, status, controls)) },
    "Upload",
  );
  const controls = element("div", { class: "buttons" }, kind, button);
  list.prepend(
    element(
      "li",
      {},
      element(
        "div",
        { class: "head" },
        element("h3", { class: "id" }, file.name),
        element("span", { class: "hint" }, size(file.size)),
      ),
      controls,
      status,
    ),
  );
  kind.value = (await kindOf(file)) ?? "";
}

async function upload(file, kind, status, controls) {
  if (!kind.value) return status.replaceChildren(problem("Select what the file contains."));
  const bar = element("progress", { "aria-label": `Upload of ${file.name}`, max: 1, value: 0 });
  const text = element("p", { class: "hint" }, "Uploading");
  status.replaceChildren(bar, text);
  controls.hidden = true;
  try {
    const id = await send(file, kind.value, (share) => (bar.value = share));
    bar.removeAttribute("value");
    text.textContent = "Ingesting";
    const retrying = (reason) => (text.textContent = `Trying again: ${reason}`);
    status.replaceChildren(...outcomeElements(await outcomeOf(id, retrying), id));
  } catch (error) {
    controls.hidden = false;
    status.replaceChildren(problem(error.message));
  }
}

/** The outcome of ingest, as elements. */
function outcomeElements(outcome, id) {
  if (outcome.status === "Failed") {
    return [problem(`Nothing was ingested: ${outcome.reason}`)];
  }
  if (outcome.status === "Expired") return [problem("The file did not arrive. Upload it again.")];
  const rejected = outcome.rejected ? `, ${count(outcome.rejected, "row")} rejected` : "";
  const result = outcome.status === "Unchanged" ? "Already ingested" : "Ingested";
  const partial = outcome.stores_with_rejected_rows;
  return [
    element("p", { class: partial ? "warning" : "good" }, `${result}: ${count(outcome.rows, "row")}${rejected}.`),
    ...(partial ? [partialStores(partial)] : []),
    ...(outcome.rejects_url ? rejects(id) : []),
  ];
}

/** The stores that keep their previous data, since some of their rows were rejected. */
function partialStores({ count: number, store_ids: ids }) {
  const shown = ids.join(", ") + (number > ids.length ? ", …" : "");
  const text = `${count(number, "store")} with rejected rows, which keep their previous data: ${shown}`;
  return element("p", { class: "warning" }, text);
}

function rejects(id) {
  const downloadProblem = element("p", { class: "problem", role: "alert", hidden: true });
  const button = element(
    "button",
    { type: "button", click: () => busy(button, () => downloadRejects(id, downloadProblem)) },
    "Rejected rows, with reasons",
  );
  return [element("div", { class: "buttons" }, button), downloadProblem];
}

async function downloadRejects(id, downloadProblem) {
  showMessage(downloadProblem);
  try {
    location.assign((await outcomeOf(id)).rejects_url);
  } catch (error) {
    showMessage(downloadProblem, error.message);
  }
}

const problem = (message) => element("p", { class: "problem", role: "alert" }, message);

input.addEventListener("change", () => {
  for (const file of input.files) addFile(file);
  input.value = ""; // so that the same file can be chosen again
});
drop.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  for (const file of event.dataTransfer.files) addFile(file);
});
