// Calls of the API. Failures are thrown as Errors whose messages are shown to users.

import { askForKey, currentKey } from "./key.js";

const ADVICE = {
  forbidden: "The API wants a key. Give it with the button “Key”.",
  too_many_requests: "Too many requests at once. Try again in a moment.",
  quota_exceeded: "This key has used up its requests for today.",
  unavailable: "A service behind the API does not answer. Try again in a moment.",
  internal_error: "Something went wrong on the API’s side. Try again; if it stays so, look at its log.",
};

export class ApiError extends Error {
  constructor(code, message) {
    super(ADVICE[code] ?? message);
    this.code = code;
  }
}

/**
 * Ask the API, and for the key if it wants one.
 *
 * @param {string} method
 * @param {string} path relative to the API, its variable parts encoded
 * @param {object} [options] body: an object; headers
 * @returns {Promise<object>} the decoded answer
 */
export async function ask(method, path, { body, headers = {} } = {}) {
  const key = currentKey();
  const answer = await send(method, path, {
    body: body && JSON.stringify(body),
    headers: {
      Accept: "application/json",
      ...(body && { "Content-Type": "application/json" }),
      ...(key && { "x-api-key": key }),
      ...headers,
    },
  });
  if (answer.ok) return answer.json();
  // Another call may have received a key in the meantime.
  if (answer.status === 403 && (key !== currentKey() || (await askForKey(key)))) {
    return ask(method, path, { body, headers });
  }
  throw await refusal(answer);
}

async function send(method, path, options) {
  try {
    return await fetch(new URL(path, document.baseURI), { method, ...options });
  } catch {
    throw new ApiError("unreachable", "The API cannot be reached. Is there a connection?");
  }
}

async function refusal(answer) {
  try {
    const { error } = await answer.json();
    return new ApiError(error.code, error.message);
  } catch {
    return new ApiError("unexpected", `The API answered with status ${answer.status}.`);
  }
}
