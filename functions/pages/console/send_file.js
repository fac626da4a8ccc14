// Send a file to the inbox, with a presigned POST of the API.

import { ApiError, callApi } from "./api.js";
import { answered, reconnecting } from "./connection.js";
import { size } from "./texts.js";

/**
 * Send a file.
 *
 * @param {File} file
 * @param {string} kind
 * @param {(share: number) => void} onProgress called with the fraction that has been sent
 * @returns {Promise<string>} the upload's id
 * @throws {ApiError}
 */
export async function send(file, kind, onProgress) {
  if (!file.size) throw new ApiError("empty", "The file is empty.");
  const form = await callApi("POST", "uploads", { body: { kind, filename: file.name } });
  if (file.size > form.limit_bytes) {
    throw new ApiError("too_large", `The file has ${size(file.size)}; the limit is ${size(form.limit_bytes)}.`);
  }
  const fields = new FormData();
  for (const [name, value] of Object.entries(form.fields)) fields.append(name, value);
  fields.append("file", file); // S3 ignores fields after the file
  for (let failures = 0; !(await post(form.url, fields, onProgress)); failures += 1) await reconnecting(failures);
  answered();
  return form.upload_id;
}

/**
 * Like fetch, but with progress, which fetch does not report for uploads.
 *
 * @returns {Promise<boolean>} whether there was a response; without one, the form can be sent again
 */
function post(url, fields, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.upload.addEventListener("progress", ({ loaded, total }) => onProgress(loaded / total));
    request.addEventListener("load", () => {
      if (request.status < 300) resolve(true);
      else reject(new ApiError("refused", `The inbox refused the file: ${reason(request)}`));
    });
    request.addEventListener("error", () => resolve(false));
    request.send(fields);
  });
}

/** The message in S3's XML, or at least the status. */
const reason = (request) =>
  request.responseXML?.querySelector("Message")?.textContent ?? `status ${request.status}`;
