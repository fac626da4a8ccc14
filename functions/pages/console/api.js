// Calls of the API. A call that may succeed later is repeated; that is safe for every call: see `callApi`.

import { answered, reconnecting } from "./connection.js";
import { askForKey, currentKey } from "./settings.js";
import { sentence } from "./texts.js";

const TIMEOUT_MS = 35_000; // API Gateway itself gives up after 29 s
const ATTEMPTS = 5; // while the API responds with a status in TRANSIENT
const TRANSIENT = new Set([429, 502, 503, 504]);
const ADVICE = {
  forbidden: "The API requires a key. Enter it in the settings.",
  too_many_requests: "Too many requests at once. Try again in a moment.",
  quota_exceeded: "This key has used up its requests for today.",
  unavailable: "A service behind the API does not respond. Try again in a moment.",
  internal_error: "Something went wrong on the API’s side. Try again; if it fails again, look at the API’s log.",
};

/** An error of a call: `code` for programs, `message` for people, `field` if it is about one. */
export class ApiError extends Error {
  constructor(code, message, field = null) {
    super(ADVICE[code] ?? message);
    this.code = code;
    this.field = field;
  }
}

// Names, for people, of the parameters that may be invalid in an address.
const FIELDS = {
  q: "Search",
  where: "Attributes",
  as_of: "The time",
  store_id: "The store",
  report_id: "The report",
  page_token: "The page",
};

/** The message of an API error, for people. Other errors are bugs of the console, and are thrown. */
export function messageOf(error) {
  if (!(error instanceof ApiError)) throw error;
  const { field, message } = error;
  if (!field || !message.startsWith(`${field}: `)) return sentence(message);
  return sentence(message.replace(field, FIELDS[field] ?? `“${field}”`));
}

/**
 * Call the API; if it requires a key, ask the user for it and call again.
 *
 * A call without a response is repeated until the API responds. Reading again changes nothing, new
 * reports have an idempotency key, concurrent retries of a report start one attempt, and a presigned
 * POST that is not used expires.
 *
 * @param {string} method
 * @param {string} path relative to the API, its variable parts encoded
 * @param {object} [options] body: an object; headers; signal: ends the call
 * @returns {Promise<object>} the decoded response
 * @throws {ApiError}
 */
export async function callApi(method, path, { body, headers = {}, signal } = {}) {
  const key = currentKey();
  const response = await sent(path, signal, {
    method,
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
    return callApi(method, path, { body, headers, signal });
  }
  throw await errorOf(response);
}

/** Send a request until there is a response that is final. */
async function sent(path, signal, options) {
  const url = new URL(path, document.baseURI);
  for (let failures = 0; ; failures += 1) {
    const response = await attempt(url, signal, options);
    if (response && !(failures < ATTEMPTS - 1 && (await isTransient(response)))) {
      answered();
      return response;
    }
    await reconnecting(failures, signal);
  }
}

/** A response; null if none came. */
async function attempt(url, signal, options) {
  const signals = [AbortSignal.timeout(TIMEOUT_MS), signal].filter(Boolean);
  try {
    return await fetch(url, { ...options, signal: AbortSignal.any(signals) });
  } catch {
    signal?.throwIfAborted(); // the caller has cancelled the call
    return null;
  }
}

async function isTransient(response) {
  if (!TRANSIENT.has(response.status)) return false;
  return (await errorOf(response.clone())).code !== "quota_exceeded";
}

async function errorOf(response) {
  try {
    const { error } = await response.json();
    return new ApiError(error.code, error.message, error.field);
  } catch {
    return new ApiError("unexpected", `The API responded with status ${response.status}.`);
  }
}
