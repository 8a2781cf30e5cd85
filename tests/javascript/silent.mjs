// A link that dies without a close; tests/live/javascript/test_javascript_ends.py runs it, and stops the proxy.

import { connect } from '../../streamrelay/web/streamrelay.js';
import { failure } from './fakes.mjs';

/** Seconds until it is said, and what. */
export async function silent({ url }, { next, tell }) {
  const stream = await connect(url);
  const reader = stream.readable.getReader();
  const { value } = await reader.read();
  tell(new TextDecoder().decode(value));
  await next();
  const since = performance.now();
  const end = await stream.closed;
  tell({ seconds: (performance.now() - since) / 1000, outcome: end, read: (await failure(reader.read())).outcome });
}
