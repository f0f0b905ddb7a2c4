/** Times and numbers as people read them. All times are UTC, as on the command line. */

const NUMBERS = new Intl.NumberFormat('en');

/** @param {number} value */
export const number = (value) => NUMBERS.format(value);

/** A rate, with as many digits as matter. @param {number} perSecond */
export function rate(perSecond) {
  if (perSecond === 0) return '0';
  if (perSecond < 0.1) return '<0.1';
  return perSecond < 10 ? perSecond.toFixed(1) : number(Math.round(perSecond));
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** @param {number} count */
export function bytes(count) {
  let [value, unit] = [count, 0];
  while (value >= 1_024 && unit < UNITS.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** @param {number} ms */
export const date = (ms) => new Date(ms).toISOString().slice(0, 10);

/** @param {number} ms */
export const time = (ms) => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

/** The largest unit that fits. @param {number} ms */
export function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** @param {number} ms @param {number} [now] */
export const ago = (ms, now = Date.now()) => `${span(now - ms)} ago`;

/** @param {number} count @param {string} one @param {string} [many] */
export const counted = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

/** A date of a form field: the start of that day, as everywhere in Keygate. @param {string} text */
export const startOfDay = (text) => Date.parse(`${text}T00:00:00Z`);
