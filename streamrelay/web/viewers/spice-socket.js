// A stream of ours in place of the websocket that spice-html5 opens for each channel: its link is asked whether it lives,
// and its end has an outcome in words.

import { connect } from '../streamrelay.js';
import { Channel } from './channel.js';

const { WebSocket } = globalThis;

/** Run something that opens websockets at once, and let these be streams. */
export function withSockets(run) {
  globalThis.WebSocket = /** @type {any} */ (Socket); // which has what spice-html5 needs, not all
  try {
    return run();
  } finally {
    globalThis.WebSocket = WebSocket;
  }
}

/** What spice-html5 needs of a websocket; its `close` event has the `outcome`. */
class Socket extends EventTarget {
  binaryType = 'arraybuffer';
  readyState = 0; // until it is open

  #channel = null;
  #leave = new AbortController();

  /** @param {string} url - with a token, so it is told to nobody but spice-html5, which asks for it */
  constructor(url) {
    super();
    this.url = url;
    connect(url, { signal: this.#leave.signal, WebSocket }).then(
      (stream) => this.#opened(stream),
      ({ outcome }) => outcome && this.#tell('close', { outcome }), // there is none of one that was left
    );
  }

  /** The bytes must not change any more. */
  send(bytes) {
    this.#channel?.send(bytes);
  }

  close() {
    this.readyState = 2;
    this.#leave.abort();
    this.#channel?.close();
  }

  #opened(stream) {
    this.#channel = new Channel(stream);
    this.readyState = 1;
    this.#channel.onmessage = ({ data }) => this.#tell('message', { data: data.buffer });
    stream.closed.then((outcome) => {
      this.readyState = 3;
      this.#tell('close', { outcome });
    });
    this.#tell('open', {});
  }

  #tell(type, fields) {
    this.dispatchEvent(Object.assign(new Event(type), fields));
  }
}
