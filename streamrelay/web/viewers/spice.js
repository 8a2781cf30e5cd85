// A machine's screen by SPICE: spice-html5 on one stream, which carries its channels. The last picture stays.

import { showDetached } from './detached.js';
import { askFor } from './form.js';
import { allowStyleAttribute } from './inline-style.js';
import { MachineClipboard } from './machine-clipboard.js';
import { failure, refusal } from './outcomes.js';
import { ALT, CONTROL, DELETE, SHIFT, scancode } from './scancodes.js';
import { Channels } from './spice-channels.js';
import { SpiceSession } from './spice-session.js';
import { byLinks } from './spice-socket.js';
import { load, ownStyle } from './third-party.js';
import { typeText } from './typing.js';

const NAME = 'the SPICE viewer (spice-html5)';
const MODULES = ['main', 'spiceconn', 'inputs', 'spicemsg', 'enums', 'webm'];

/** A viewer of a SPICE server in `element`; `source` opens its streams (docs/architecture.rst, "The pages' files"). */
export function create(element, source) {
  return new Spice(element, source);
}

class Spice {
  #element;
  #source;
  #frame = document.createElement('div');
  #session = null; // while it is connected
  #password = ''; // what the server last took
  #clipboard;
  #undo = new AbortController();

  constructor(element, source) {
    this.#element = element;
    this.#source = source;
    this.#clipboard = new MachineClipboard(element, source, this.#undo.signal);
    this.#frame.className = 'spice-frame';
    element.append(this.#frame);
  }

  get actions() {
    const session = this.#session;
    if (!session) return [];
    return [
      { label: 'Ctrl-Alt-Del', run: () => void session.press(CONTROL, ALT, DELETE) },
      { label: 'Type text …', run: () => this.#typeText(session) },
      ...this.#clipboard.actions,
    ];
  }

  async connect() {
    const library = await this.#load();
    let password = this.#password;
    for (;;) {
      const { stream, reach, leave } = await this.#open();
      const session = new SpiceSession(library, this.#frame, reach, password, this.#clipboard, this.#undo.signal);
      session.closed.then(leave);
      try {
        await session.connected;
      } catch (error) {
        if (!session.denied) throw error;
        password = await this.#askPassword(password);
        continue;
      }
      this.#password = password;
      this.#session = session;
      this.#clipboard.machine = session.machine;
      session.closed.then(() => {
        if (this.#session === session) this.#session = this.#clipboard.machine = null;
      });
      return { closed: session.closed, stream, close: () => session.close() };
    }
  }

  /** What the session's connections are: channels of one stream, or streams of their own if its agent carries none. */
  async #open() {
    const { view } = this.#source;
    const stream = await this.#source.open({ view, channels: true });
    if (stream.ticket?.channels) {
      showDetached(this.#element, stream, { ofMachine: true });
      const channels = new Channels(stream);
      return { stream, reach: () => Promise.resolve(channels.open()), leave: () => channels.close() };
    }
    stream.close();
    const { url } = await this.#source.ask({ view });
    return { stream: null, reach: byLinks(url), leave() {} };
  }

  focus() {
    this.#session?.focus();
  }

  destroy() {
    this.#undo.abort();
    this.#frame.remove();
  }

  async #load() {
    const modules = await Promise.all([...MODULES.map((name) => load(NAME, `spice-html5/src/${name}.js`)), ownStyle()]);
    const library = Object.fromEntries(MODULES.map((name, at) => [name, modules[at]]));
    allowStyleAttribute(HTMLVideoElement); // where a video is on the screen
    const silent = () => {};
    // What it has to say is told as the outcome; and what it says has the URL in it, which is a secret.
    Object.assign(library.spiceconn.SpiceConn.prototype, { log_info: silent, log_warn: silent, log_err: silent });
    library.webm.Constants.GAP_DETECTION_THRESHOLD = Infinity; // it would note each message that takes longer
    return library;
  }

  async #askPassword(wrong) {
    const words = wrong ? 'The SPICE server refused the password' : 'The SPICE server wants a password';
    const fields = [{ name: 'password', label: 'Password', type: 'password' }];
    const answer = await askFor(this.#frame, words, fields, { signal: this.#undo.signal });
    if (answer) return answer.password;
    throw failure(refusal('no password was given to the SPICE server'));
  }

  async #typeText(session) {
    await typeText(this.#element, this.#undo.signal, {
      can: (letter) => scancode(letter) > 0,
      lives: () => this.#session === session,
      press: (letter, shift) => session.press(...(shift ? [SHIFT] : []), scancode(letter)),
      drawn: () => session.drawn,
      focus: () => session.focus(),
    });
  }
}
