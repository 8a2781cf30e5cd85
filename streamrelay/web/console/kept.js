// What the browser keeps of the list of hosts for each user: the names of hosts and targets that are pinned, or were opened
// not long ago. Nothing else, and not after this user has signed out.

import { fragment, parse } from './links.js';

const PLACE = 'hosts'; // in the browser's storage
const USERS = 5; // the last ones to have kept anything
const PINNED = 20;
const RECENT = 5;

/** Event: `change`. A pin is a host, or a target of one: `{ host, target }`, without `target` for a host. */
export class Kept extends EventTarget {
  pinned = [];
  recent = [];

  #user = '';

  constructor() {
    super();
    addEventListener('storage', ({ key }) => {
      if (key === PLACE) this.of(this.#user); // another page of the same browser has kept something
    });
  }

  /** From now on what this user has kept; '' for nobody. */
  of(user) {
    this.#user = user;
    const { pinned, recent } = (user && read()[user]) || {};
    this.pinned = namesOf(pinned, PINNED);
    this.recent = namesOf(recent, RECENT);
    this.dispatchEvent(new Event('change'));
  }

  isPinned(one) {
    return this.pinned.some((other) => isSame(one, other));
  }

  /** Pin it on top, or let it go. Returns why that can't be; "" if it is done. */
  pin(one) {
    if (!this.isPinned(one) && this.pinned.length >= PINNED) return `at most ${PINNED} can be pinned`;
    const others = this.pinned.filter((other) => !isSame(one, other));
    this.pinned = this.isPinned(one) ? others : [...others, one];
    this.#keep();
    return '';
  }

  /** It has been opened. */
  opened(one) {
    this.recent = [one, ...this.recent.filter((other) => !isSame(one, other))].slice(0, RECENT);
    this.#keep();
  }

  /** Nothing of this user stays. */
  forget() {
    const { [this.#user]: _, ...others } = read();
    write(others);
    this.of('');
  }

  #keep() {
    const { [this.#user]: _, ...others } = read();
    const [pinned, recent] = [this.pinned, this.recent].map((all) =>
      all.map(({ host, target }) => [host, target ?? '']),
    );
    const last = Object.entries(others).slice(1 - USERS);
    if (this.#user) write(Object.fromEntries([...last, [this.#user, { pinned, recent }]]));
    this.dispatchEvent(new Event('change'));
  }
}

const isSame = (one, other) => one.host === other.host && one.target === other.target;

/** Names as the storage has them, which others may have written. */
function namesOf(kept, most) {
  const pairs = (Array.isArray(kept) ? kept : []).filter(
    (one) => Array.isArray(one) && one.every((name) => typeof name === 'string'),
  );
  return pairs.flatMap(([host, target]) => nameOf(host ?? '', target ?? '')).slice(0, most);
}

function nameOf(host, target) {
  const pattern = target.replace(/\{\w+\}/g, 'x'); // a target may be a pattern, which no address names
  if (!parse(fragment(host, pattern || 'x'))) return [];
  return target ? [{ host, target }] : [{ host, target: undefined }];
}

function read() {
  try {
    const all = JSON.parse(localStorage.getItem(PLACE) ?? '{}');
    return all && typeof all === 'object' && !Array.isArray(all) ? all : {};
  } catch {
    return {}; // a browser that keeps nothing for this page, or something else's
  }
}

function write(all) {
  try {
    if (Object.keys(all).length) localStorage.setItem(PLACE, JSON.stringify(all));
    else localStorage.removeItem(PLACE);
  } catch {
    // it counts until the page is closed
  }
}
