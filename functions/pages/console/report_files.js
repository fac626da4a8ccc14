// The files of a report: links expire after minutes, so they are requested when a button is pressed.

import { actionButton } from "./action_button.js";
import { ApiError, callApi } from "./api.js";

/** Buttons for all files of a report: its formats, and its tables, which have the formats of data. */
export function downloadButtons(reportId, { formats, group_by: groups, include }, problem) {
  const tables = [groups?.length && "groups", include?.includes("outages") && "outages"].filter(Boolean);
  const data = formats.filter((format) => ["csv", "json", "parquet"].includes(format));
  const files = [...formats, ...tables.flatMap((table) => data.map((format) => `${table}.${format}`))];
  return files.map((file) => actionButton(label(file), problem, () => download(reportId, file), { "aria-label": `Download ${label(file)}` }));
}

/** "XLSX", "groups.csv" */
const label = (file) => (file.includes(".") ? file : file.toUpperCase());

/** Download a file of a report, by its name in `urls`. */
async function download(reportId, file) {
  const { urls } = await callApi("GET", `get_report/${reportId}`);
  location.assign(urls[file]); // an attachment: the browser stays on the page
}

/** A button that opens the HTML report in a tab of its own. */
export function openReport(reportId, problem, text = "Open") {
  return actionButton(text, problem, () => openInTab(reportId), { class: "primary", "aria-label": "Open the HTML report" });
}

/** Open the tab before the request: after it, browsers would block the tab as a pop-up. */
async function openInTab(reportId) {
  const tab = window.open("", "_blank");
  if (!tab) throw new ApiError("blocked", "The browser blocked the new tab. Allow it for this page, and try again.");
  try {
    const { open_url: url } = await callApi("GET", `get_report/${reportId}`);
    tab.opener = null; // the report cannot reach the console
    tab.location.replace(url);
  } catch (error) {
    tab.close();
    throw error;
  }
}
