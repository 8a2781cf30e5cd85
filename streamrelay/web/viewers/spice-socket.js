// A connection of ours in place of the websocket that spice-html5 opens for each of its channels: a channel of one stream,
// or a stream of its own, so its end has an outcome in words, and it is told when its link is dead.

import { connect } from '../streamrelay.js';
import { Channel } from './channel.js';

const { WebSocket } = globalThis;

/** Run something that opens websockets at once, and let these be connections that `reach(signal)` promises. */
export function withSockets(reach, run) {
  class Reached extends Socket {
    constructor(url) {
      super(url, reach);
    }
  }
  globalThis.WebSocket = /** @type {any} */ (Reached); // which has what spice-html5 needs, not all
  try {
    return run();
  } finally {
    globalThis.WebSocket = WebSocket;
  }
}

/** Opens streams of a URL that is good for several: where the machine's agent carries no channels of SPICE. */
export const byLinks = (url) => async (signal) => new Channel(await connect(url, { signal, WebSocket }));

/** What spice-html5 needs of a websocket; its `close` event has the `outcome`. */
class Socket extends EventTarget {
  binaryType = 'arraybuffer';
  readyState = 0; // until it is open

  #connection = null;
  #leave = new AbortController();

  /** @param {string} url - no real one: spice-html5 takes it for its other channels, and tells it */
  constructor(url, reach) {
    super();
    this.url = url;
    reach(this.#leave.signal).then(
      (connection) => this.#opened(connection),
      ({ outcome }) => outcome && this.#tell('close', { outcome }), // there is none of one that was left
    );
  }

  /** The bytes must not change any more. */
  send(bytes) {
    this.#connection?.send(bytes);
  }

  close() {
    this.readyState = 2;
    this.#leave.abort();
    this.#connection?.close();
  }

  #opened(connection) {
    this.#connection = connection;
    if (this.readyState === 2) {
      connection.close();
      return;
    }
    this.readyState = 1;
    this.#tell('open', {});
    connection.onmessage = ({ data }) => this.#tell('message', { data: data.buffer });
    connection.closed.then((outcome) => {
      this.readyState = 3;
      this.#tell('close', { outcome });
    });
  }

  #tell(type, fields) {
    this.dispatchEvent(Object.assign(new Event(type), fields));
  }
}
