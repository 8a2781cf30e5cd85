// What a target says, on its way into xterm.js: in order, and ahead of it by bytes, not by turns.
//
// xterm.js takes what it was given in turns of a timer of some ms, which a page in the background has once a second or
// once a minute. So what comes meanwhile isn't given to it piece by piece: it goes as one as soon as the last is taken.
// On a page that is seen a turn is short. On one that isn't nobody feels a long one, and the bound is what a program
// says within such a pause; only one that says more has to wait for its terminal.

export const AHEAD = 512 << 10; // bytes that may wait for xterm.js
export const AHEAD_UNSEEN = 8 << 20; // the same on a page in the background
const PIECE = 128 << 10; // bytes of a turn, on a page that is seen
const ENCODER = new TextEncoder();
// What a program may have left behind when its stream broke: mouse, focus, pasting, held output, insertion, a region,
// hidden cursor, colours. The other screen isn't among them.
const MODES = '\x1b[?9;1000;1002;1003;1004;1006;1016;2004;2026l\x1b[4;20l\x1b[!p\x1b[0m\x1b[?25h';
const AFRESH = `${MODES}\x1b]104\x07\x1b]110\x07\x1b]111\x07\x1b]112\x07`;
const FIRST_SCREEN = '\x1b[?1049l';

export class Output {
  #terminal;
  #unseen;
  #waiting = []; // pieces
  #bytes = 0; // that xterm.js hasn't taken
  #busy = false;
  #waiters = []; // who goes on once there are no more bytes than a number

  /**
   * @param terminal - xterm.js's
   * @param {() => boolean} unseen - whether the page is in the background
   */
  constructor(terminal, unseen = () => document.hidden) {
    this.#terminal = terminal;
    this.#unseen = unseen;
  }

  /** Show bytes or text; resolves as soon as more may come. */
  write(piece) {
    const bytes = typeof piece === 'string' ? ENCODER.encode(piece) : piece;
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    if (!this.#busy) this.#turn();
    return this.#below(this.#unseen() ? AHEAD_UNSEEN : AHEAD);
  }

  /** Resolves once all that was written is shown. */
  parsed() {
    return this.#below(0);
  }

  /** For a line of the page's own, or a stream after one that broke: modes as at the start, below all that is shown. */
  async afresh() {
    const { buffer, rows } = this.#terminal;
    await this.parsed();
    if (buffer.active.type === 'alternate') void this.write(FIRST_SCREEN); // on the first one it would move the cursor up
    void this.write(AFRESH);
    await this.parsed();
    const { active } = buffer;
    let last = rows - 1;
    while (last > active.cursorY && !active.getLine(active.baseY + last)?.translateToString(true)) last -= 1;
    void this.write(`\x1b[${last + 1}H\r\n`);
  }

  #turn() {
    const piece = this.#take();
    this.#busy = true;
    this.#terminal.write(piece, () => {
      this.#bytes -= piece.length;
      this.#busy = false;
      if (this.#waiting.length) this.#turn(); // within the same turn of xterm.js, if there is time
      const waiters = this.#waiters;
      this.#waiters = waiters.filter(([bytes]) => bytes < this.#bytes);
      for (const [bytes, go] of waiters) if (bytes >= this.#bytes) go();
    });
  }

  /** What waits, as one; on a page that is seen some of it. */
  #take() {
    const most = this.#unseen() ? Infinity : PIECE;
    let [count, size] = [0, 0];
    while (count < this.#waiting.length && (!count || size + this.#waiting[count].length <= most)) {
      size += this.#waiting[count++].length;
    }
    const pieces = this.#waiting.splice(0, count);
    if (count === 1) return pieces[0];
    const whole = new Uint8Array(size);
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }

  #below(bytes) {
    if (this.#bytes <= bytes) return Promise.resolve();
    return new Promise((go) => {
      this.#waiters.push([bytes, go]);
    });
  }
}
