// Uploads: new ones, and the outcomes of earlier ones.

import { busy, byId, element } from "./dom.js";
import { example, KINDS } from "./csv_kinds.js";
import { LiveList } from "./live_list.js";
import { enqueue, sendAll } from "./upload_queue.js";
import { UploadRow } from "./upload_row.js";

const drop = byId("drop");
const input = byId("files");
const list = new LiveList(
  "uploads",
  (entry) => entry.upload_id ?? `${entry.filename} ${entry.created_at}`,
  (entry) => new UploadRow(entry),
);

export const show = (_, signal) => list.show(signal);

/** The columns of each kind, and a file to start from. */
function kindElements([prefix, kind]) {
  const { name, columns, optional = [], note = "" } = kind;
  const href = URL.createObjectURL(new Blob([example(kind)], { type: "text/csv" }));
  const link = element("a", { href, download: `${prefix}.csv`, "aria-label": `Example of ${name.toLowerCase()}` }, "Example");
  return [
    element("dt", {}, `${name} `, link),
    element(
      "dd",
      {},
      element("code", {}, columns.join(", ")),
      optional.length > 0 && element("span", {}, "; optional ", element("code", {}, optional.join(", "))),
      note && ` ${note}`,
    ),
  ];
}

function takeFiles() {
  enqueue(input.files);
  input.value = ""; // so that the same file can be chosen again
}

takeFiles(); // those that were chosen before this script was there
byId("kinds").append(...Object.entries(KINDS).flatMap(kindElements));
byId("send-all").addEventListener("click", ({ target }) => busy(target, () => sendAll((upload) => list.prepend(upload))));
input.addEventListener("change", takeFiles);
drop.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  enqueue(event.dataTransfer.files);
});
