// When something was, in words.

/** @type {[number, string][]} */
const UNITS = [
  [60, 'min'],
  [3600, 'h'],
  [86_400, 'd'],
];

/** How long ago it was: "3 h ago"; `seen` and `now` are seconds since the epoch, of clocks that may differ. */
export function ago(seen, now) {
  const passed = now - seen;
  const [seconds, unit] = UNITS.findLast(([length]) => passed >= length) ?? [1, ''];
  return unit ? `${Math.floor(passed / seconds).toLocaleString('en')} ${unit} ago` : 'just now';
}

/** The moment, as people here write it. */
export const moment = (seen) => new Date(seen * 1000).toLocaleString();

/** For how long, in seconds: "3 h 12 min"; two units at most. */
export function lasting(seconds) {
  const passed = Math.max(0, Math.floor(seconds));
  const at = UNITS.findLastIndex(([length]) => passed >= length);
  if (at < 0) return `${passed} s`;
  const [[length, unit], smaller] = [UNITS[at], UNITS[at - 1]];
  const whole = `${Math.floor(passed / length).toLocaleString('en')} ${unit}`;
  const rest = smaller ? Math.floor((passed % length) / smaller[0]) : 0;
  return rest ? `${whole} ${rest} ${smaller[1]}` : whole;
}
