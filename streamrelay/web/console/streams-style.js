// How live streams, relays and the window of kept terminals look, which is loaded once one of them is wanted.

import { element } from './dom.js';

/** @type {Promise<unknown> | null} */
let loading = null;

/** Load it, unless that was done before; rejects if it can't be. */
export function styled() {
  loading ??= new Promise((resolve, reject) => {
    const link = element('link', { rel: 'stylesheet', href: 'console/streams.css' });
    link.addEventListener('load', resolve);
    link.addEventListener('error', () => {
      loading = null; // the next one tries again
      link.remove();
      reject(new Error('a style sheet'));
    });
    document.head.append(link);
  });
  return loading;
}
