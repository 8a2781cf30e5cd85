// Streams that are given up while they open, against a real chain; tests/live/javascript/test_javascript_abandoned.py runs it.

import { open } from '../../streamrelay/web/streamrelay.js';

const asked = []; // all requests, those among them that end streams

const noted = (...request) => {
  asked.push(fetch(...request));
  return asked.at(-1);
};

/** Read all that comes, and ignore how it ends. */
const read = async (stream) => {
  try {
    for await (const _ of stream.readable);
  } catch {
    // it is aborted
  }
};

/** Streams that are given up after so many milliseconds each; how many of them were open by then. */
export async function abandoned({ wanted, waits }) {
  let opened = 0;
  for (const wait of waits) {
    const stopping = new AbortController();
    const opening = open({ ...wanted, signal: stopping.signal, fetch: noted }).then(
      (stream) => {
        opened += 1;
        void read(stream);
      },
      () => {},
    );
    await new Promise((later) => setTimeout(later, wait));
    stopping.abort(new Error('enough'));
    await opening;
  }
  await new Promise(setImmediate);
  await Promise.allSettled(asked);
  return { opened };
}
