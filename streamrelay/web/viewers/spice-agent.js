// What the agent inside of a machine and we say to each other by SPICE: of all that, what we can, and the clipboard
// (spice-protocol, vd_agent.h). A machine may lie: nothing is taken that wasn't asked for, given that wasn't offered, or
// kept beyond its bound.

const HEAD = 20; // bytes: protocol, kind, opaque (8), size
const [CLIPBOARD, CAPABILITIES, GRAB, REQUEST, RELEASE] = [4, 6, 7, 8, 9];
const [NONE, TEXT] = [0, 1]; // kinds of what is on a clipboard; text is UTF-8
const BY_DEMAND = 1 << 5; // a clipboard of which one asks, when something is pasted
const CRLF = 1 << 9; // it ends lines as Windows does
const OURS = (1 << 0) | (1 << 1) | (1 << 2); // mouse, monitors' sizes, replies: what spice-html5 can

export class SpiceAgent {
  #most;
  #send;
  #came;
  #missed;
  #shares = false;
  #connected = false;
  #can = 0;
  #asked = false; // for what the machine has copied
  #offer = null; // bytes that it may ask for
  #head = new Uint8Array(HEAD);
  #got = 0; // bytes of the message, with its head
  #size = 0; // and how many that will be
  #content = null; // what follows the head; null: too much of it

  /**
   * @param {number} most - bytes of a text, either way
   * @param {{ send: (kind: number, content: Uint8Array) => void, came: (text: string) => void,
   *   missed: (words: string) => void }} seams - whom to tell what is said to the agent, what the machine has copied, and
   *   why that isn't had
   */
  constructor(most, { send, came, missed }) {
    this.#most = most;
    this.#send = send;
    this.#came = came;
    this.#missed = missed;
  }

  /** Whether texts may be given and taken. */
  set shares(on) {
    if (on === this.#shares) return;
    this.#shares = on;
    if (this.#offer && this.#connected) this.#send(RELEASE, new Uint8Array());
    this.#asked = false;
    this.#offer = null;
    if (this.#connected) this.announce(on);
  }

  /** An agent is there, or none is any more. */
  set connected(connected) {
    this.#connected = connected;
    this.#can = this.#got = 0;
    this.#asked = false;
    this.#offer = null;
  }

  /** Whether the machine has an agent that takes texts. */
  get takes() {
    return this.#connected && (this.#can & BY_DEMAND) !== 0;
  }

  /** Tell what we can, and ask the same if that is wanted. */
  announce(asks) {
    this.#send(CAPABILITIES, numbers(asks ? 1 : 0, OURS | (this.#shares ? BY_DEMAND : 0)));
  }

  /** Let the machine ask for a text; throws words if it can't. */
  give(text) {
    if (!this.#connected) throw new Error('no SPICE agent runs in the machine; "Type text" types it');
    if (!this.takes) throw new Error("the machine's SPICE agent takes no clipboard");
    this.#asked = false;
    this.#offer = new TextEncoder().encode(text.replace(/\r?\n/g, this.#can & CRLF ? '\r\n' : '\n'));
    this.#send(GRAB, numbers(TEXT));
  }

  /** A piece of what the agent says: messages may come in many, and many in one. */
  receive(piece) {
    for (let bytes = new Uint8Array(piece); bytes.length; ) {
      const used = this.#got < HEAD ? this.#takeHead(bytes) : this.#takeContent(bytes);
      bytes = bytes.subarray(used);
      if (this.#got >= HEAD && this.#got === this.#size) this.#end();
    }
  }

  #takeHead(bytes) {
    const part = bytes.subarray(0, HEAD - this.#got);
    this.#head.set(part, this.#got);
    this.#got += part.length;
    if (this.#got === HEAD) {
      const [kind, size] = [this.#number(4), this.#number(16)];
      this.#size = HEAD + size;
      this.#content = size <= this.#most + 4 ? new Uint8Array(size) : null; // a text has its kind before it
      if (!this.#content && kind === CLIPBOARD && this.#asked) this.#tooMuch(size);
    }
    return part.length;
  }

  #takeContent(bytes) {
    const part = bytes.subarray(0, this.#size - this.#got);
    this.#content?.set(part, this.#got - HEAD);
    this.#got += part.length;
    return part.length;
  }

  #end() {
    const content = this.#content;
    this.#content = null;
    this.#got = 0;
    if (content) this.#said(this.#number(4), content);
  }

  #number(at) {
    return new DataView(this.#head.buffer).getUint32(at, true);
  }

  #said(kind, content) {
    const [first, second] = numbersOf(content.subarray(0, 8));
    if (kind === CAPABILITIES && content.length >= 8) {
      this.#can = second;
      if (first) this.announce(false);
    }
    if (!this.#shares) return;
    if (kind === GRAB) this.#grabbed(numbersOf(content.subarray(0, 256)));
    else if (kind === REQUEST) this.#requested(first);
    else if (kind === CLIPBOARD && this.#asked) this.#given(first, content.subarray(4));
  }

  /** The machine has copied something. */
  #grabbed(kinds) {
    this.#offer = null;
    this.#asked = kinds.includes(TEXT);
    if (this.#asked) this.#send(REQUEST, numbers(TEXT));
    else if (kinds.length) this.#missed('what the machine has copied is not text');
  }

  #requested(kind) {
    const text = kind === TEXT && this.#offer;
    const content = new Uint8Array(4 + (text ? text.length : 0));
    content.set(numbers(text ? TEXT : NONE));
    if (text) content.set(text, 4);
    this.#send(CLIPBOARD, content);
  }

  #given(kind, bytes) {
    this.#asked = false;
    if (kind !== TEXT) return;
    let text;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      this.#missed('what the machine has copied is not text');
      return;
    }
    this.#came((this.#can & CRLF ? text.replace(/\r\n/g, '\n') : text).replace(/\0+$/, ''));
  }

  #tooMuch(size) {
    this.#asked = false;
    this.#missed(`what the machine has copied is too much: ${size} bytes, and at most ${this.#most} are taken`);
  }
}

/** Bytes of numbers, each of 32 bits. */
function numbers(...values) {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, at) => {
    view.setUint32(4 * at, value, true);
  });
  return bytes;
}

function numbersOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length >> 2 }, (_, at) => view.getUint32(4 * at, true));
}
