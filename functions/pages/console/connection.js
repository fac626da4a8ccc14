// What the console does and says while the API cannot be reached.

import { byId, pause } from "./dom.js";

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;

const notice = byId("connection");
let waiting = new AbortController(); // aborted to end the waits early

/**
 * Wait before a call is repeated: twice as long after each failure, less a random part.
 *
 * Ends early when the browser is online again, or when the user presses “Try now”.
 *
 * @param {number} failures how often the call has failed before
 * @param {AbortSignal} [signal] ends the wait with an error
 */
export async function reconnecting(failures, signal) {
  notice.hidden = false;
  const longest = Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS);
  await pause(longest * (0.5 + Math.random() / 2), AbortSignal.any([waiting.signal, signal].filter(Boolean)));
  signal?.throwIfAborted();
}

/** Hide the notice: the API has responded. */
export function answered() {
  notice.hidden = true;
}

function retryNow() {
  waiting.abort();
  waiting = new AbortController();
}

addEventListener("online", retryNow);
byId("try-now").addEventListener("click", retryNow);
