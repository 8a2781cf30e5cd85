// The hosts that are known: told by answers page after page, and by changes meanwhile.

/** A key by which plain comparison has the platform's order: web-2 before web-10, capitals as small letters. */
export function orderOf(host) {
  const key = host.toLowerCase().replace(/\d+/g, (digits) => {
    const number = digits.replace(/^0+(?=\d)/, '');
    return `\0${String.fromCharCode(number.length)}${number}`; // more digits, a greater number
  });
  return `${key}\0\0${host}`;
}

/** Entries are as the platform gives them, and are never changed, but put in another's place. */
export class Fleet {
  #entries = new Map(); // by name
  #list = [];
  #inOrder = true; // whether `#list` has all of them
  #load = null; // one that is under way: whom its answers had, and of whom changes have told since it began

  get size() {
    return this.#entries.size;
  }

  /** All of them, in their order. */
  get list() {
    if (!this.#inOrder) this.#order();
    return this.#list;
  }

  get(host) {
    return this.#entries.get(host);
  }

  /** From now on all are told anew, by `page`s. */
  beginLoad() {
    this.#load = { had: new Set(), changed: new Set() };
  }

  /** Some hosts of an answer. Of one that has changed since it was asked for, the change counts. */
  page(hosts) {
    for (const entry of hosts) {
      this.#load?.had.add(entry.host);
      if (!this.#load?.changed.has(entry.host)) this.#entries.set(entry.host, entry);
    }
    this.#inOrder = false;
  }

  /** All have been told. Others aren't there any more, if it `isWhole`. */
  endLoad(isWhole) {
    const { had, changed } = this.#load;
    this.#load = null;
    if (!isWhole) return;
    for (const host of this.#entries.keys()) {
      if (!had.has(host) && !changed.has(host)) this.#entries.delete(host);
    }
    this.#inOrder = false;
  }

  /** What has changed: entries, and names of hosts that are gone. */
  change(hosts, gone) {
    for (const entry of hosts) this.#entries.set(entry.host, entry);
    for (const host of gone) this.#entries.delete(host);
    for (const host of [...hosts.map((entry) => entry.host), ...gone]) this.#load?.changed.add(host);
    this.#inOrder = false;
  }

  /** The keys are made once for each host: those that stay are in order already, and a sort finds that out quickly. */
  #order() {
    const keys = this.#keys;
    for (const host of keys.keys()) if (!this.#entries.has(host)) keys.delete(host);
    const fresh = [...this.#entries.keys()].filter((host) => !keys.has(host));
    for (const host of fresh) keys.set(host, orderOf(host));
    if (fresh.length) {
      const compare = ([, one], [, other]) => (one < other ? -1 : one > other ? 1 : 0);
      this.#keys = new Map([...keys].sort(compare));
    }
    this.#list = Array.from(this.#keys.keys(), (host) => this.#entries.get(host));
    this.#inOrder = true;
  }

  #keys = new Map(); // by name, in their order
}
