// A stream as the websocket-like channel that noVNC takes in place of a URL, so that the outcome is told in words.

/** What noVNC needs of a websocket (noVNC's docs/API.md, "RFB: urlOrChannel"); it opens at once. */
export class Channel {
  binaryType = 'arraybuffer';
  protocol = '';
  readyState = 'open';
  onopen = null;
  onerror = null;
  onclose = null;

  /** Whether its user has closed it. */
  left = false;

  /** How its stream ended, once it has. */
  closed;

  #stream;
  #writer;
  #reader;
  #listener = null;

  constructor(stream) {
    this.#stream = stream;
    this.closed = stream.closed;
    this.#writer = stream.writable.getWriter();
    stream.closed.then(({ code, reason, clean }) => {
      this.readyState = 'closed';
      this.onclose?.({ code, reason, wasClean: clean });
    });
  }

  get onmessage() {
    return this.#listener;
  }

  /** What has come waits until there is somebody to take it. */
  set onmessage(listener) {
    this.#listener = listener;
    if (!listener || this.#reader) return;
    this.#reader = this.#stream.readable.getReader();
    void this.#read();
  }

  /** The bytes are copied: noVNC uses its buffer again. */
  send(bytes) {
    this.#writer.write(new Uint8Array(bytes)).catch(() => {}); // of a stream that broke its outcome tells
  }

  close() {
    this.left = true;
    this.readyState = 'closing';
    this.#stream.close();
  }

  /** The next piece is read once the last one was taken. */
  async #read() {
    try {
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (done) break;
        this.#listener?.({ data: value });
      }
      await this.#writer.close();
    } catch {
      // the stream broke, or ended meanwhile; its outcome says how
    }
  }
}
