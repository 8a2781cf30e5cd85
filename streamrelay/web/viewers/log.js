// A log: <stream-log> on a stream. A stream that comes after another one goes on where that one ended. Further logs, of
// this host or others, can be joined to it.

import '../stream-log.js';

const MANY = 1000; // lines with which it begins where somebody wants more than it began with

/** The logs that an element shows. The first one has no name unless there are others. */
class Logs {
  #log;
  #first;
  #anew = new Set(); // those that are to begin anew, once
  all;

  constructor(log, first) {
    this.#log = log;
    this.#first = first;
    this.all = [first];
    this.#show();
  }

  add(one) {
    this.all.push(one);
    this.#show();
  }

  remove(one) {
    this.all.splice(this.all.indexOf(one), 1);
    this.#anew.delete(one);
    this.#log.leave(this.#key(one));
    this.#show();
  }

  /** The element's source for a log. */
  source(one) {
    return this.#log.source(this.#key(one));
  }

  /** All are to begin with more lines, once. */
  begin() {
    this.#anew = new Set(this.all);
  }

  async open(one) {
    const { place } = this.source(one);
    const stream = await one.open({ view: one.view, ...(this.#anew.has(one) ? { lines: MANY } : place) });
    if (stream.ticket && stream.ticket.viewer !== 'log') {
      stream.close();
      throw new Error('this target is not a log');
    }
    if (this.#anew.size === this.all.length) this.#log.forget(); // of all, by the first of them
    this.#anew.delete(one);
    return stream;
  }

  /** The name of a file of their lines. */
  get file() {
    const name = this.all.length > 1 ? 'logs' : `${this.#first.host}-${this.#first.target}`;
    return `${name}.log`.replace(/[^\w.-]+/g, '_');
  }

  #key(one) {
    return one === this.#first ? '' : `${one.host}/${one.target}`;
  }

  #show() {
    const names = shortNames(this.all);
    for (const [at, one] of this.all.entries()) this.source(one).name = names[at];
    const title = this.all.map(({ host, target }) => `${target} on ${host}`).join(', ');
    this.#log.setAttribute('aria-label', `Log of ${title}`);
  }
}

/** A viewer of a log in `element`; `source` opens its streams (docs/architecture.rst, "The pages' files"). */
export function create(element, source) {
  const log = /** @type {import('../stream-log.js').StreamLog} */ (document.createElement('stream-log'));
  Object.assign(log.style, { position: 'absolute', inset: '0' });
  for (const name of ['ground', 'text', 'muted', 'line', 'accent']) {
    log.style.setProperty(`--stream-log-${name}`, `var(--${name === 'ground' ? 'surface' : name})`); // the page's own
  }
  element.replaceChildren(log);
  const logs = new Logs(log, source);

  return {
    /** A stream of one of the logs. */
    async connect(one = source) {
      const stream = await logs.open(one);
      return { closed: logs.source(one).follow(stream), stream, close: () => stream.close() };
    },
    /** Show one more log among the others, as `connect` brings it; or one no more. */
    join: (one) => logs.add(one),
    leave: (one) => logs.remove(one),
    /** How one stands, where there are several. */
    tell: (one, words) => logs.all.length > 1 && logs.source(one).tell(words),
    focus: () => log.focus(),
    destroy() {
      log.close();
      log.remove();
    },
    actions: [
      { label: 'Copy lines', run: () => log.copy() },
      { label: 'Download lines', run: () => log.download(logs.file) },
      { label: 'Clear lines', run: () => log.clear() },
      { label: `Begin with ${MANY.toLocaleString('en')} lines`, anew: true, run: () => logs.begin() },
    ],
  };
}

/** By what tells them apart: their hosts, or their targets, or both; nothing for one alone. */
function shortNames(all) {
  if (all.length === 1) return [''];
  const different = (key) => new Set(all.map((one) => one[key])).size;
  if (different('host') === all.length) return all.map(({ host }) => host);
  if (different('host') === 1) return all.map(({ target }) => target);
  return all.map(({ host, target }) => `${host}/${target}`);
}
