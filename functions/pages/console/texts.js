// Format numbers and times for people.

const NUMBER = new Intl.NumberFormat("en-GB");
const SIZES = ["bytes", "kB", "MB", "GB"];
const UTC = clock("UTC");

export const number = (value) => NUMBER.format(value);

export function count(value, one, many = `${one}s`) {
  return `${number(value)} ${value === 1 ? one : many}`;
}

/** 45.671 → "45.7%"; there is no percentage of nothing */
export const percent = (value) => (value === null ? "no data" : `${value.toFixed(1)}%`);

/** 1500000 → "1.5 MB" */
export function size(bytes) {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), SIZES.length - 1);
  const value = bytes / 1000 ** power;
  return `${power && value < 100 ? value.toFixed(1) : Math.round(value)} ${SIZES[power]}`;
}

/** A length of time in microseconds, in a unit, with the report's two decimals: rounded half to even. */
export function inUnits(microseconds, unit) {
  const step = unit / 100; // a whole number, so that nothing is rounded before
  const whole = Math.floor(microseconds / step);
  const rest = microseconds - whole * step;
  const roundsUp = 2 * rest > step || (2 * rest === step && whole % 2 === 1);
  return ((whole + roundsUp) / 100).toFixed(2);
}

/** A duration in milliseconds → "2 h 5 min" */
export function length(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return [hours && `${hours} h`, (rest || !hours) && `${rest} min`].filter(Boolean).join(" ");
}

/**
 * The clocks of a time zone.
 *
 * @param {string} timeZone an IANA name; UTC is used if this browser does not know it
 */
export function clock(timeZone) {
  const format = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: known(timeZone), ...options });
  const date = format({ weekday: "short", day: "numeric", month: "short" });
  const longDate = format({ day: "numeric", month: "long", year: "numeric" });
  const time = format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const exact = format({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  return {
    name: known(timeZone),
    date: (instant) => date.format(instant),
    longDate: (instant) => longDate.format(instant),
    time: (instant) => time.format(instant),
    exactTime: (instant) => exact.format(instant),
  };
}

function known(timeZone) {
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone });
    return timeZone;
  } catch {
    return "UTC";
  }
}

/** "14 October 2024, 23:55 UTC" */
export function instant(text) {
  const at = Date.parse(text);
  return `${UTC.longDate(at)}, ${UTC.time(at)} UTC`;
}
