// The connections of one SPICE session as channels of one stream (docs/protocol.rst, "Channels"), so that the session is
// one stream in all lists and limits, and goes on by a new connection as a whole.

import { outcome } from '../streamrelay.js';
import { DATA, END, EOF, FrameReader, frame, number32, OPEN, WINDOW } from './spice-frames.js';

const LOST = 4005;
const PIECE = 32_768; // bytes of a frame
const START = 128 << 10; // bytes of a window at first
const MOST = 2 << 20; // and at most
const SPARE = 8 << 20; // by which the windows of one stream may have grown, together
const PACE = 400; // ms in which a whole window has passed if it is to grow
const LAST_WORDS = 1000; // ms that the ends of channels may take to be written

/** All channels of a stream; the first one is open from the beginning. */
export class Channels {
  #stream;
  #writer;
  #written = Promise.resolve(); // the last of it
  #channels = new Map(); // by their numbers, until both ends of each have passed
  #last = 0;
  #first;
  #spare = { left: SPARE };

  constructor(stream) {
    this.#stream = stream;
    this.#writer = stream.writable.getWriter();
    this.#first = this.#make();
    void this.#read(stream.readable.getReader());
    stream.closed.then((ended) =>
      this.#over(ended.clean ? outcome(LOST, 'the stream that carried it has ended') : ended),
    );
  }

  /** The next channel. One that is too many has ended at once. */
  open() {
    const first = this.#first;
    this.#first = null;
    if (first) return first;
    if (this.#channels.size >= this.#stream.ticket.channels) return refusedChannel();
    const channel = this.#make();
    this.#write(frame(OPEN, this.#last));
    return channel;
  }

  /** End all of it, in order. */
  async close() {
    for (const channel of this.#channels.values()) channel.close();
    await Promise.race([this.#written, new Promise((late) => setTimeout(late, LAST_WORDS))]);
    this.#stream.close();
  }

  #make() {
    const number = ++this.#last;
    const channel = new Channel(number, this.#spare, {
      write: (bytes) => this.#write(bytes),
      forget: () => this.#channels.delete(number),
    });
    this.#channels.set(number, channel);
    return channel;
  }

  #write(bytes) {
    this.#written = this.#writer.write(bytes).catch(() => {}); // of a stream that broke its outcome tells
  }

  async #read(reader) {
    const frames = new FrameReader((kind, number, content) => this.#take(kind, number, content));
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        frames.take(value);
      }
    } catch (error) {
      if (!(error instanceof RangeError)) return; // the stream broke; its outcome says how
      this.#over(outcome(1002, error.message));
      this.#stream.close();
    }
  }

  #take(kind, number, content) {
    const channel = this.#channels.get(number);
    if (!channel) throw new RangeError(`a frame of channel ${number}, which isn't open`);
    if (kind === OPEN) throw new RangeError('only the client opens channels');
    channel.take(kind, content);
  }

  #over(ended) {
    for (const channel of this.#channels.values()) channel.over(ended);
    this.#channels.clear();
  }
}

/** One connection, with as much of a websocket as spice-socket.js needs. */
class Channel {
  closed;

  #listener = null;
  #early = []; // what has come before there was one

  #number;
  #write;
  #forget;
  #window;
  #settle;
  #unsent = []; // bytes that wait until the other end takes more
  #credit = START;
  #finished = false; // nothing more is taken to be sent
  #eofDue = false; // which is said behind what is unsent
  #ended = false; // our end is said
  #heardEnd = false;

  constructor(number, spare, { write, forget }) {
    this.#number = number;
    this.#window = new Window(spare);
    this.#write = write;
    this.#forget = forget;
    this.closed = new Promise((settle) => {
      this.#settle = settle;
    });
  }

  /** Who takes what comes, and has come. */
  set onmessage(listener) {
    this.#listener = listener;
    for (const data of this.#early.splice(0)) listener({ data });
  }

  /** The bytes must not change any more. */
  send(bytes) {
    if (this.#finished) return;
    this.#unsent.push(new Uint8Array(bytes));
    this.#pump();
  }

  close() {
    this.#end(outcome(1000));
  }

  over(ended) {
    this.#ended = this.#finished = true;
    this.#settle(ended);
  }

  take(kind, content) {
    if (this.#heardEnd) throw new RangeError(`a frame of channel ${this.#number} after its end`);
    if (kind === DATA) this.#received(content);
    else if (kind === WINDOW) this.#more(content);
    else if (kind === EOF) this.#finish();
    else this.#theirEnd(content);
  }

  #received(bytes) {
    const more = this.#window.took(bytes.byteLength);
    if (this.#ended) return;
    if (this.#listener) this.#listener({ data: bytes });
    else this.#early.push(bytes);
    if (more && !this.#ended) this.#write(frame(WINDOW, this.#number, number32(more)));
  }

  #more(content) {
    this.#credit += new DataView(content.buffer).getUint32(0);
    this.#pump();
  }

  #theirEnd(content) {
    this.#heardEnd = true;
    const code = new DataView(content.buffer).getUint16(0);
    this.#end(outcome(code, new TextDecoder().decode(content.subarray(2))));
    this.#forget();
  }

  #end(how) {
    if (this.#ended) return;
    this.#unsent = [];
    this.over(how);
    const code = number32(how.code).subarray(2);
    this.#write(frame(END, this.#number, code));
  }

  /** The other end says no more, and so do we, as there is nothing to be answered. */
  #finish() {
    if (this.#finished) return;
    this.#finished = this.#eofDue = true;
    this.#pump();
  }

  #pump() {
    while (this.#unsent.length && this.#credit) {
      const [bytes] = this.#unsent;
      const size = Math.min(bytes.byteLength, this.#credit, PIECE);
      if (size === bytes.byteLength) this.#unsent.shift();
      else this.#unsent[0] = bytes.subarray(size);
      this.#credit -= size;
      if (size) this.#write(frame(DATA, this.#number, bytes.subarray(0, size)));
    }
    if (!this.#eofDue || this.#unsent.length || this.#ended) return;
    this.#eofDue = false;
    this.#write(frame(EOF, this.#number));
  }
}

/** What the other end may send before we have taken it. It grows while it passes quickly, as a long way needs more. */
class Window {
  #spare;
  #size = START;
  #left = START;
  #out = 0; // bytes that were taken, for which nothing was given back yet
  #passed = 0; // bytes since the window was last looked at
  #since = performance.now();

  constructor(spare) {
    this.#spare = spare;
  }

  /** Bytes were taken; gives how many more may come, 0 until it is worth a frame. */
  took(size) {
    this.#left -= size;
    if (this.#left < 0) throw new RangeError('more bytes of a channel than its window');
    this.#out += size;
    if (this.#out * 2 < this.#size) return 0;
    let more = this.#out;
    this.#passed += more;
    this.#out = 0;
    if (this.#passed >= this.#size) more += this.#grow();
    this.#left += more;
    return more;
  }

  #grow() {
    const now = performance.now();
    const quick = now - this.#since <= PACE;
    this.#since = now;
    this.#passed = 0;
    const more = quick ? Math.min(this.#size, MOST - this.#size, this.#spare.left) : 0;
    this.#size += more;
    this.#spare.left -= more;
    return more;
  }
}

function refusedChannel() {
  const ended = outcome(1013, 'the machine has more channels than one stream carries');
  return { onmessage: null, closed: Promise.resolve(ended), send() {}, close() {} };
}
