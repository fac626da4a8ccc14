// Numbers and times for people, and instants that people type.

import { displayZone } from "./settings.js";

const NUMBER = new Intl.NumberFormat("en-GB");
const HOURS = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const SHORT_NUMBER = new Intl.NumberFormat("en-GB", { notation: "compact" });
const SIZES = ["bytes", "kB", "MB", "GB"];

export const number = (value) => NUMBER.format(value);

/** 12345 → "12K" */
export const shortNumber = (value) => SHORT_NUMBER.format(value);

export function count(value, one, many = `${one}s`) {
  return `${number(value)} ${value === 1 ? one : many}`;
}

/** A message of the API as a sentence: "no such file" → "No such file." */
export const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? "" : "."}`;

/** Hours with two decimals: 1234.5 → "1,234.50" */
export const hours = (value) => HOURS.format(value);

/** 45.671 → "45.7%"; null → "no data" */
export const percent = (value) => (value == null ? "no data" : `${value.toFixed(1)}%`);

/** A difference of percentages: 1.25 → "+1.3 points" */
export function points(value) {
  const rounded = Math.round(10 * value) / 10;
  const sign = rounded < 0 ? "−" : rounded > 0 ? "+" : "±";
  return `${sign}${Math.abs(rounded).toFixed(1)} points`;
}

/** Money as the API writes it: "1234.50" → "1,234.50" */
export function money(text) {
  const [whole, cents] = text.split(".");
  return `${NUMBER.format(BigInt(whole))}.${cents}`;
}

/** 1500000 → "1.5 MB" */
export function size(bytes) {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), SIZES.length - 1);
  const value = bytes / 1000 ** power;
  return `${power && value < 100 ? value.toFixed(1) : Math.round(value)} ${SIZES[power]}`;
}

/** A length of time in a unit, with two decimals, rounded half to even as in reports. */
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
  const zone = known(timeZone);
  const format = (options) => {
    const formatter = new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...options });
    return (instant) => formatter.format(instant);
  };
  const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return {
    name: zone,
    date: format({ weekday: "short", day: "numeric", month: "short" }),
    longDate: format({ day: "numeric", month: "long", year: "numeric" }),
    time: format(time),
    exactTime: format({ ...time, second: "2-digit" }),
    /** "UTC", "GMT-5" */
    offset: (instant) => offset(instant, zone),
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

function offset(instant, timeZone) {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZone, timeZoneName: "shortOffset" }).formatToParts(instant);
  const name = parts.find(({ type }) => type === "timeZoneName").value;
  return timeZone === "UTC" ? "UTC" : name;
}

/** An instant in the zone of the settings: "14 October 2024, 23:55 UTC" */
export function instant(text) {
  const [at, shown] = [Date.parse(text), clock(displayZone())];
  return `${shown.longDate(at)}, ${shown.time(at)} ${shown.offset(at)}`;
}

/** The same to the second: "14 October 2024, 23:55:18 UTC" */
export function exactInstant(text) {
  const [at, shown] = [Date.parse(text), clock(displayZone())];
  return `${shown.longDate(at)}, ${shown.exactTime(at)} ${shown.offset(at)}`;
}

/**
 * The instant that a clock shows as a wall time.
 *
 * @param {string} text the value of a field of type datetime-local: "2024-10-14T12:00"
 * @param {string} timeZone the clock's zone
 * @returns {string} ISO 8601, in UTC
 */
export function toInstant(text, timeZone) {
  const wall = Date.parse(`${text}Z`);
  let at = wall;
  for (let round = 0; round < 2; round += 1) at = wall - (wallTime(at, timeZone) - at);
  return new Date(at).toISOString().replace(".000Z", "Z");
}

/** The reverse: the value of a field that shows an instant. */
export function toField(text, timeZone) {
  return new Date(wallTime(Date.parse(text), timeZone)).toISOString().slice(0, 19);
}

/** What a zone's clock shows at an instant, as if that were UTC. */
function wallTime(instant, timeZone) {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });
  return Date.parse(`${format.format(instant).replace(" ", "T")}Z`) + (instant % 1000);
}
