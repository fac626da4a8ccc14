// A store's week, split into local days: only times, no elements. Timestamps are in milliseconds.

const HOUR = 3_600_000;
const MINUTE = 60_000;

/**
 * Cut a week at the store's midnights.
 *
 * @param {object} timeline as the API returns it
 * @param {{date: (instant: number) => string}} clock the store's clock
 * @returns {{start: number, from: number, until: number, stretches: object[], polls: object[]}[]}
 *   the days: midnight, the part that is in the week, its stretches and polls
 */
export function days(timeline, clock) {
  const [from, until] = [Date.parse(timeline.week.start), Date.parse(timeline.week.end)];
  const held = stretches(timeline, from, until);
  const polls = timeline.polls.map((poll) => ({ ...poll, instant: Date.parse(poll.at) }));
  const midnights = midnightsOf(from, until, clock);
  return midnights.map((start, index) => {
    const end = midnights[index + 1] ?? until;
    return {
      start,
      from: Math.max(start, from),
      until: end,
      stretches: clipped(held, start, end),
      polls: polls.filter(({ instant }) => from <= instant && start <= instant && instant < end),
    };
  });
}

/** The whole week as intervals: closed, or open and up, down or without data. */
export function stretches(timeline, from, until) {
  const open = timeline.business_time.map(instants);
  const statuses = timeline.statuses.map((status) => ({ ...status, ...instants(status) }));
  const found = [];
  let at = from;
  for (const { start, end } of open) {
    if (at < start) found.push({ start: at, end: start, state: "closed" });
    for (const status of clipped(statuses, start, end)) {
      const state = status.poll_at === null ? "no-data" : status.status;
      const last = found.at(-1);
      if (last?.state === state && last.end === status.start) last.end = status.end;
      else found.push({ start: status.start, end: status.end, state });
    }
    at = end;
  }
  if (at < until) found.push({ start: at, end: until, state: "closed" });
  return found;
}

const instants = ({ start, end }) => ({ start: Date.parse(start), end: Date.parse(end) });

function clipped(parts, start, end) {
  return parts
    .filter((part) => part.start < end && start < part.end)
    .map((part) => ({ ...part, start: Math.max(part.start, start), end: Math.min(part.end, end) }));
}

/** All local midnights from the one before the week on. */
function midnightsOf(from, until, clock) {
  const found = [];
  for (let hour = from - 26 * HOUR; hour < until; hour += HOUR) {
    const next = Math.min(hour + HOUR, until);
    if (clock.date(hour) !== clock.date(next)) found.push(change(hour, next, clock));
  }
  const first = found.findLastIndex((midnight) => midnight <= from);
  return found.slice(first);
}

function change(before, after, clock) {
  const old = clock.date(before);
  let [low, high] = [Math.floor(before / MINUTE), Math.ceil(after / MINUTE)];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (clock.date(middle * MINUTE) === old) low = middle;
    else high = middle;
  }
  return high * MINUTE;
}
