// The sample that the local cloud offers: a button that uploads it and makes a report.

import { actionButton } from "./action_button.js";
import { ApiError, callApi } from "./api.js";
import { element, pause } from "./dom.js";
import { send } from "./send_file.js";
import { count } from "./texts.js";

const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];
const CHECK_EVERY_MS = 500;

/**
 * Return what loads the sample; null if this is not the local cloud, or if it has no sample.
 *
 * @param {Element} problem where to say what went wrong
 * @param {(request: object) => Promise<void>} makeReport
 */
export async function sampleOffer(problem, makeReport) {
  if (!LOOPBACK.includes(location.hostname)) return null;
  const response = await fetch("local/sample");
  const keys = response.ok ? await response.json() : [];
  if (!keys.length) return null;
  const progress = element("p", { class: "hint", role: "status" });
  const load = async () => {
    let done = 0;
    const show = () => (progress.textContent = `Uploading: ${done} of ${count(keys.length, "file")}`);
    show();
    await Promise.all(keys.map((key) => upload(key).then(() => (done += 1)).then(show)));
    progress.textContent = "Making the report";
    await makeReport({ group_by: ["brand"] });
  };
  return element("div", {}, actionButton("Load the sample", problem, load, { class: "primary" }), progress);
}

/** Upload a file of the sample, and wait until it is ingested. */
async function upload(key) {
  const [kind, name] = key.split("/");
  const blob = await (await fetch(`local/sample/${key}`)).blob();
  const id = await send(new File([blob], name), kind, () => {});
  for (;;) {
    const { status, reason } = await callApi("GET", `uploads/${encodeURIComponent(id)}`);
    if (status === "Failed") throw new ApiError("not_ingested", `${name}: ${reason}`);
    if (status === "Committed" || status === "Unchanged") return;
    await pause(CHECK_EVERY_MS);
  }
}
