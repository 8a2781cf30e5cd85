// A log: <stream-log> on a stream. A stream that comes after another one goes on where that one ended.

import '../stream-log.js';

const MANY = 1000; // lines with which it begins where somebody wants more than it began with

/** A viewer of a log in `element`; `source` opens its streams (docs/architecture.rst, "The pages' files"). */
export function create(element, source) {
  const log = /** @type {import('../stream-log.js').StreamLog} */ (document.createElement('stream-log'));
  log.setAttribute('aria-label', `Log of ${source.target} on ${source.host}`);
  Object.assign(log.style, { position: 'absolute', inset: '0' });
  for (const name of ['ground', 'text', 'muted', 'line', 'accent']) {
    log.style.setProperty(`--stream-log-${name}`, `var(--${name === 'ground' ? 'surface' : name})`); // the page's own
  }
  element.replaceChildren(log);
  const name = `${source.host}-${source.target}.log`.replace(/[^\w.-]+/g, '_');
  let lines = 0; // with which it is to begin anew, once

  return {
    async connect() {
      const stream = await source.open({ view: source.view, ...(lines ? { lines } : log.place) });
      if (lines) log.forget();
      lines = 0;
      return { closed: log.follow(stream), close: () => stream.close() };
    },
    focus: () => log.focus(),
    destroy() {
      log.close();
      log.remove();
    },
    actions: [
      { label: 'Copy lines', run: () => log.copy() },
      { label: 'Download lines', run: () => log.download(name) },
      { label: 'Clear lines', run: () => log.clear() },
      {
        label: `Begin with ${MANY.toLocaleString('en')} lines`,
        anew: true,
        run: () => {
          lines = MANY;
        },
      },
    ],
  };
}
