// What a stream's row looks like, and what it says to screen readers.

import { element, write } from './dom.js';
import { marked } from './search.js';
import { lasting, moment } from './times.js';

/** @type {[number, string][]} */
const UNITS = [
  [1e12, 'TB'],
  [1e9, 'GB'],
  [1e6, 'MB'],
  [1e3, 'kB'],
];

/** Bytes as people read them: "4.7 MB". */
export function bytes(count) {
  const [size, unit] = UNITS.find(([least]) => count >= least) ?? [1, 'bytes'];
  const number = count / size;
  const digits = size > 1 && number < 100 ? 1 : 0;
  return `${number.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${unit}`;
}

/** `about` has the `words` that are looked for, and `isEnding(row)`. */
export function streamRow(about) {
  const cells = Object.fromEntries(
    ['host', 'target', 'user', 'since', 'up', 'down', 'act'].map((name) => [name, cell(name)]),
  );
  const button = element('button', { type: 'button', class: 'end', tabindex: '-1' });
  cells.act.append(button);
  const made = element('div', { role: 'row', class: 'stream' }, ...Object.values(cells));
  const update = (row) => {
    const { host, target, user, up, down, waiting, channels, began } = row.entry;
    made.ariaRowIndex = String(row.place + 1); // the head is the first
    made.title = row.id;
    cells.host.replaceChildren(...marked(host, about.words));
    cells.target.replaceChildren(...marked(target, about.words), ...tags(waiting, channels));
    cells.user.replaceChildren(...marked(user || 'nobody named', about.words));
    write(cells.since, lasting((Date.now() - began) / 1000));
    cells.since.title = `since ${moment(began / 1000)}`;
    write(cells.up, bytes(up));
    write(cells.down, bytes(down));
    const ending = about.isEnding(row);
    button.hidden = row.entry.end === false;
    button.disabled = ending;
    write(button, ending ? 'Ending …' : 'End');
    button.ariaLabel = `${ending ? 'Ending' : 'End'} ${nameOf(row.entry)}`;
  };
  return { element: made, update };
}

/** What a stream is, in words. */
export function nameOf({ user, target, host }) {
  return `the stream of ${user || 'a user who is not named'} to ${target} on ${host}`;
}

function cell(name) {
  return element('div', { role: 'gridcell', class: `cell ${name}` });
}

function tags(waiting, channels) {
  const told = [];
  if (waiting) told.push(' ', element('span', { class: 'tag' }, 'waiting'));
  if (channels !== undefined) {
    const words = `${channels.toLocaleString('en')} ${channels === 1 ? 'channel' : 'channels'}`;
    told.push(' ', element('span', { class: 'tag plain' }, words));
  }
  return told;
}
