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
