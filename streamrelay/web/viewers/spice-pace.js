// Keys go to a machine no faster than it takes them. Its keyboard holds some 16 bytes, and what comes beyond that is dropped
// without a word: also where each key was sent in its time, but the way held them up, or had no connection for a while.

const HELD = 6; // keys, pressed or released, that may be under way; each has two bytes at most
const EACH = 10; // milliseconds for each, as QEMU itself gives those of VNC
const ASK = 4; // motions of the pointer after which the server tells that it has come so far (SPICE_INPUT_MOTION_ACK_BUNCH)
const UNANSWERED = 3000; // milliseconds after which a server that has never told so is taken to be none that does
const MOST = 500; // keys that wait; of more those that are pressed are not taken

export class PacedKeys {
  #send;
  #ask;
  #full;
  #waiting = []; // { way, code, taken }
  #under = []; // sent, and the server isn't asked whether it has them
  #asked = []; // sent, and it is
  #need = 0; // motions before those that ask
  #told = 0; // that it has told of since
  #answers = false;
  #silent = false; // it answers none
  #allowance = HELD;
  #since = performance.now();
  #timer = 0;
  #late = 0;
  #over = false;

  /**
   * @param {{ send: (way: string, code: number) => void, ask: () => number, full: () => void }} seams - send a key; send so
   *   many motions that tell nothing as the server answers once, and give those that it had not answered before; say that
   *   keys are not taken any more
   */
  constructor({ send, ask, full }) {
    this.#send = send;
    this.#ask = ask;
    this.#full = full;
  }

  /** Press or release a key. Promises whether the machine got it. */
  put(way, code) {
    if (this.#over) return Promise.resolve(false);
    if (this.#waiting.length >= MOST && way === 'Down') {
      this.#full();
      return Promise.resolve(false);
    }
    return new Promise((taken) => {
      this.#waiting.push({ way, code, taken });
      this.#pump();
    });
  }

  /** The server has taken some motions. */
  answered() {
    this.#answers = true;
    this.#silent = false;
    this.#told += ASK;
    if (this.#asked.length && this.#told > this.#need) this.#took();
  }

  /** There is nobody any more to whom keys could go. */
  end() {
    this.#over = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#late);
    for (const { taken } of [...this.#asked, ...this.#under, ...this.#waiting]) taken(false);
    this.#asked = this.#under = this.#waiting = [];
  }

  #pump() {
    clearTimeout(this.#timer);
    const now = performance.now();
    this.#allowance = Math.min(HELD, this.#allowance + (now - this.#since) / EACH);
    this.#since = now;
    while (this.#waiting.length && this.#allowance >= 1 && this.#under.length + this.#asked.length < HELD) {
      const key = this.#waiting.shift();
      this.#allowance -= 1;
      this.#under.push(key);
      this.#send(key.way, key.code);
    }
    if (this.#silent) this.#tell(this.#under.splice(0));
    if (this.#under.length && !this.#asked.length) this.#askNow();
    const more = this.#waiting.length > 0 && this.#under.length + this.#asked.length < HELD;
    if (more) this.#timer = setTimeout(() => this.#pump(), EACH);
  }

  #askNow() {
    this.#asked = this.#under;
    this.#under = [];
    this.#told = 0;
    this.#need = this.#ask();
    clearTimeout(this.#late);
    if (!this.#answers) this.#late = setTimeout(() => this.#unanswered(), UNANSWERED);
  }

  #unanswered() {
    this.#silent = true;
    this.#took();
  }

  #took() {
    clearTimeout(this.#late);
    this.#tell(this.#asked.splice(0));
    this.#pump();
  }

  #tell(keys) {
    for (const { taken } of keys) taken(true);
  }
}
