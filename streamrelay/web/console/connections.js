// The connections of one tab as one: a log's tab may have logs of several hosts. No DOM.

import { Connection } from './connection.js';

const ORDER = ['idle', 'waiting', 'over', 'opening', 'detached', 'open']; // what is told if they differ: the first of these

/** Event: `change`. Of states, words and tones see `Connection`. */
export class Connections extends EventTarget {
  #all = new Map(); // by what each is of: [connection, its name]
  #told;

  /** `told(of, connection)` comes before the event, with the one that has changed. */
  constructor(told) {
    super();
    this.#told = told;
  }

  /** One more, `of` something that has a host; `opens()` promises its stream. */
  add(of, name, opens) {
    const connection = new Connection(opens);
    this.#all.set(of, [connection, name]);
    connection.addEventListener('change', () => {
      this.#told(of, connection);
      this.dispatchEvent(new Event('change'));
    });
  }

  /** Stop one for good. */
  remove(of) {
    const [connection] = this.#all.get(of);
    this.#all.delete(of);
    connection.stop();
    this.dispatchEvent(new Event('change'));
  }

  get state() {
    return ORDER.find((state) => this.#every.some((one) => one.state === state));
  }

  /** What is to be said of those that aren't open; by their names, if there are several. */
  get words() {
    const all = [...this.#all.values()];
    if (all.length === 1) return all[0][0].words;
    const told = all.filter(([{ state, words }]) => words && state !== 'open');
    return told.map(([{ words }, name]) => `${name}: ${words}`).join('; ');
  }

  get tone() {
    return this.#every.some(({ tone }) => tone === 'bad') ? 'bad' : '';
  }

  /** How many are open, in words, if there are several and not all are alike. */
  get label() {
    const open = this.#every.filter(({ state }) => state === 'open').length;
    return open && open < this.#all.size ? `${open} of ${this.#all.size} connected` : '';
  }

  /** Whether one is open, or will be again without having ended. */
  get live() {
    return this.#every.some(({ state }) => ['open', 'detached'].includes(state));
  }

  /** Until the first next try. */
  get seconds() {
    return Math.min(...this.#every.filter(({ state }) => state === 'waiting').map(({ seconds }) => seconds));
  }

  /** Open what isn't; all anew if everything is. */
  start() {
    const down = this.#every.filter(({ state }) => !['opening', 'detached', 'open'].includes(state));
    for (const one of down.length ? down : this.#every) one.start();
  }

  /** Open all anew. */
  restart() {
    for (const one of this.#every) one.start();
  }

  /** Open one. */
  begin(of) {
    this.#all.get(of)[0].start();
  }

  /** Try those now that wait for their next try, of those of which `which(of, error)`. */
  hurry(which = (_of, _error) => true) {
    for (const [of, [one]] of this.#all) if (which(of, one.error)) one.hurry();
  }

  stop() {
    for (const one of this.#every) one.stop();
  }

  get #every() {
    return [...this.#all.values()].map(([one]) => one);
  }
}
