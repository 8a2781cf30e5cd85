// The size that a terminal is drawn with: that of the room it has here or, of a kept one, the size that somebody else gave it.

const SIZES = [8, 32]; // of the text, in pixels
export const USUAL = 14;
const MOST = [500, 200]; // columns and rows of a kept terminal (protocol.rst)
const QUIET = 60; // ms without anything more, after which what was there at the beginning has been drawn
const LONGEST = 600; // ms, where more comes all the time

export class Size {
  #terminal;
  #fit;
  #screen;
  #acts;
  #text = USUAL; // as it was chosen; what is drawn may be smaller
  /** @type {[number, number] | null} */
  #others = null; // columns and rows that somebody else gave it, as it is drawn
  #kept = false; // others may have it, too
  #follows = false; // it has the size of others, whatever happens here
  #waits = false; // what is there already is yet to come, drawn for the size that it has
  #timer = 0;
  #until = 0; // it waits no longer, in ms
  #room = ''; // that it was last fitted into
  #told = ''; // what the host knows of us

  /**
   * @param terminal - xterm.js's, in the element `screen`
   * @param fit - its add-on
   * @param {HTMLElement} screen
   * @param {{ tell: (columns: number, rows: number) => void, changed: () => void }} acts - tell the host our size;
   *   hear that it is drawn as others have it, or no longer
   */
  constructor(terminal, fit, screen, acts) {
    this.#terminal = terminal;
    this.#fit = fit;
    this.#screen = screen;
    this.#acts = acts;
  }

  /** Columns and rows, if it is somebody else's size with which it is drawn; else null. */
  get others() {
    return this.#others;
  }

  /** Whether what is there is yet to be drawn. */
  get waits() {
    return this.#waits;
  }

  /** A stream begins. One of a `kept` terminal brings what is there first; who only looks (`view`) never gives it a size. */
  begin({ kept = false, view = false } = {}) {
    this.end();
    this.#told = this.#room = '';
    this.#kept = this.#waits = kept;
    this.#follows = kept && view;
    this.look();
  }

  /** Its stream has ended, and with it what others do to it. */
  end() {
    clearTimeout(this.#timer);
    this.#timer = this.#until = 0;
    this.#kept = this.#follows = this.#waits = false;
    if (this.#others) this.#draw(null);
  }

  /** Some of what was there when the stream began is drawn; once no more comes, our size may count. */
  drawn() {
    if (!this.#waits) return;
    const now = Date.now();
    this.#until ||= now + LONGEST;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#joined(), Math.max(0, Math.min(QUIET, this.#until - now)));
  }

  #joined() {
    this.#waits = false;
    this.#room = '';
    this.look();
  }

  /** The room may be another: then it counts from now on. A hidden tab has none, and changes nothing. */
  look() {
    const { clientWidth, clientHeight } = this.#screen;
    const room = `${clientWidth} ${clientHeight}`;
    if (!clientWidth || !clientHeight || room === this.#room) return;
    this.#room = room;
    if (this.#others && (this.#follows || this.#waits)) this.#shrink();
    else this.#take();
  }

  /** Somebody types here, so this window's size counts. */
  typed() {
    if (this.#others && !this.#follows) this.#take();
  }

  /** The host has said which size the terminal has from here on. */
  given([columns, rows]) {
    this.#terminal.resize(columns, rows); // by which our own size is measured as below
    const own = this.#own();
    if (own?.[0] === columns && own[1] === rows && !this.#follows) this.#take();
    else this.#draw([columns, rows]);
  }

  /** Larger text, or smaller. */
  zoom(pixels) {
    this.#text = Math.min(Math.max(this.#text + pixels, SIZES[0]), SIZES[1]);
    this.#room = '';
    if (this.#others) this.#shrink();
    else this.look();
  }

  #take() {
    this.#draw(null);
    const own = this.#measure();
    if (!own) return;
    if (this.#waits || this.#follows || String(own) === this.#told) return;
    this.#told = String(own);
    this.#acts.tell(...own);
  }

  /** Have it drawn for the room that there is. A cell's width is a rounded one of all columns, so another number of them
      may leave room for one more, or one less. */
  #measure() {
    const terminal = this.#terminal;
    for (let tries = 3; tries > 0; tries -= 1) {
      const own = this.#own();
      if (!own) return null;
      if (own[0] === terminal.cols && own[1] === terminal.rows) break;
      terminal.resize(...own);
    }
    return [terminal.cols, terminal.rows];
  }

  /** Columns and rows for which there is room by the text as it was chosen; null while it is hidden. */
  #own() {
    const { options } = this.#terminal;
    const [drawn, { clientWidth, clientHeight }] = [options.fontSize, this.#screen];
    options.fontSize = this.#text;
    const room = clientWidth && clientHeight ? this.#fit.proposeDimensions() : undefined;
    if (this.#others) options.fontSize = drawn;
    if (!room) return null;
    return this.#kept ? [Math.min(room.cols, MOST[0]), Math.min(room.rows, MOST[1])] : [room.cols, room.rows];
  }

  #draw(others) {
    const was = this.#others;
    this.#others = others;
    this.#screen.classList.toggle('others', others !== null);
    if (others) {
      this.#told = ''; // it isn't ours any more
      this.#terminal.resize(...others);
      this.#shrink();
    }
    if (String(was) !== String(others)) this.#acts.changed();
  }

  /** Have all of it in sight, if its letters can still be read then; else it scrolls. */
  #shrink() {
    const [columns, rows] = this.#others ?? [1, 1];
    const { options } = this.#terminal;
    for (let text = this.#text; ; text -= 1) {
      options.fontSize = text;
      const room = this.#fit.proposeDimensions();
      if (!room || text <= SIZES[0] || (room.cols >= columns && room.rows >= rows)) return;
    }
  }
}
