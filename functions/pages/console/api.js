// Calls of the API. Failures are thrown as Errors whose messages are shown to users.

import { askForKey, currentKey } from "./key.js";

const ADVICE = {
  forbidden: "The API requires a key. Enter it with the button “Key”.",
  too_many_requests: "Too many requests at once. Try again in a moment.",
  quota_exceeded: "This key has used up its requests for today.",
  unavailable: "A service behind the API does not respond. Try again in a moment.",
  internal_error: "Something went wrong on the API’s side. Try again; if it fails again, look at the API’s log.",
};

export class ApiError extends Error {
  constructor(code, message) {
    super(ADVICE[code] ?? message);
    this.code = code;
  }
}

/**
 * Call the API; if it requires a key, ask the user for it and call again.
 *
 * @param {string} method
 * @param {string} path relative to the API, its variable parts encoded
 * @param {object} [options] body: an object; headers
 * @returns {Promise<object>} the decoded response
 */
export async function ask(method, path, { body, headers = {} } = {}) {
  const key = currentKey();
  const response = await send(method, path, {
    body: body && JSON.stringify(body),
    headers: {
      Accept: "application/json",
      ...(body && { "Content-Type": "application/json" }),
      ...(key && { "x-api-key": key }),
      ...headers,
    },
  });
  if (response.ok) return response.json();
  // Another call may have received a key in the meantime.
  if (response.status === 403 && (key !== currentKey() || (await askForKey(key)))) {
    return ask(method, path, { body, headers });
  }
  throw await errorOf(response);
}

async function send(method, path, options) {
  try {
    return await fetch(new URL(path, document.baseURI), { method, ...options });
  } catch {
    throw new ApiError("unreachable", "The API cannot be reached. Is there a connection?");
  }
}

async function errorOf(response) {
  try {
    const { error } = await response.json();
    return new ApiError(error.code, error.message);
  } catch {
    return new ApiError("unexpected", `The API responded with status ${response.status}.`);
  }
}
