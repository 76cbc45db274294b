// Numbers and instants as people read them; times are seconds since the epoch.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A time span, as the commands tell it: 59 min. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  for (const [unit, name] of [[DAY, "days"], [HOUR, "h"], [MINUTE, "min"]]) {
    if (whole >= 2 * unit || (unit === MINUTE && whole >= unit)) {
      return `${Math.floor(whole / unit)} ${name}`;
    }
  }
  return `${whole} s`;
}

/** What is left, exact enough to be watched: 4 min 05 s, 1 h 20 min. */
export function countdown(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole >= 2 * DAY) return `${Math.floor(whole / DAY)} days`;
  if (whole >= HOUR) {
    return `${Math.floor(whole / HOUR)} h ${two(Math.floor((whole % HOUR) / MINUTE))} min`;
  }
  if (whole >= 10 * MINUTE) return `${Math.floor(whole / MINUTE)} min`;
  if (whole >= MINUTE) return `${Math.floor(whole / MINUTE)} min ${two(whole % MINUTE)} s`;
  return `${whole} s`;
}

const two = (number) => String(number).padStart(2, "0");

/** The time of day: 14:03:59. */
export function clock(at) {
  const when = new Date(at * 1000);
  return `${two(when.getHours())}:${two(when.getMinutes())}:${two(when.getSeconds())}`;
}

/** The time of day without seconds, as an axis has it. */
export const hourAndMinute = (at) => clock(at).slice(0, 5);

/** The time of day, with the day where it is not today's. */
export function moment(at, now) {
  return sameDay(at, now) ? clock(at) : `${day(at)}, ${clock(at)}`;
}

function sameDay(one, other) {
  return new Date(one * 1000).toDateString() === new Date(other * 1000).toDateString();
}

/** The day: 2027-01-14, as `everbearer status` writes it. */
export function day(at) {
  const when = new Date(at * 1000);
  return `${when.getFullYear()}-${two(when.getMonth() + 1)}-${two(when.getDate())}`;
}

/** How long something took: 84 ms, 1.25 s. */
export function took(ms) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return ms < 10 ? `${Number(ms.toFixed(1))} ms` : `${Math.round(ms)} ms`;
}

/** A number and what is counted. */
export const counted = (number, one, many = `${one}s`) =>
  `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

/** The text, beginning with a capital letter. */
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
