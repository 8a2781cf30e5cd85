// A machine's screen by VNC: noVNC on a stream. The last picture stays while there is no stream.

import { Channel } from './channel.js';
import { showDetached } from './detached.js';
import { askFor } from './form.js';
import { whenLeft } from './leaving.js';
import { MachineClipboard } from './machine-clipboard.js';
import { failure, line, refusal, unseen } from './outcomes.js';
import { dropPicture, keepPicture } from './picture.js';
import { scancode } from './scancodes.js';
import { load, ownStyle } from './third-party.js';
import { typeText } from './typing.js';

const NAME = 'the VNC viewer (noVNC)';
const KEYSYMS = { ControlLeft: 0xffe3, ShiftLeft: 0xffe1, MetaLeft: 0xffeb, Insert: 0xff63 };
const LINES = new Map(Object.entries({ '\n': 0xff0d, '\t': 0xff09 }));
const FIELDS = {
  username: { name: 'username', label: 'User' },
  password: { name: 'password', label: 'Password', type: 'password' },
  target: { name: 'target', label: 'Target' },
};

/** A viewer of a VNC server in `element`; `source` opens its streams (docs/architecture.rst, "The pages' files"). */
export function create(element, source) {
  return new Vnc(element, source);
}

class Vnc {
  #element;
  #source;
  #screen = document.createElement('div');
  #rfb = null; // while it is connected
  #keysyms = null;
  #drawn = 0; // updates of the screen
  #clipboard;
  #undo = new AbortController();

  constructor(element, source) {
    this.#element = element;
    this.#source = source;
    this.#clipboard = new MachineClipboard(element, source, this.#undo.signal);
    this.#screen.className = 'vnc-screen';
    element.append(this.#screen);
    // noVNC does so when the window is left alone.
    whenLeft(this.#screen, () => this.#rfb?._keyboard._allKeysUp(), this.#undo.signal);
  }

  get actions() {
    const rfb = this.#rfb;
    if (!rfb) return [];
    if (rfb.viewOnly) return [];
    return [
      { label: 'Ctrl-Alt-Del', run: () => rfb.sendCtrlAltDel() },
      { label: 'Type text …', run: () => this.#typeText(rfb) },
      ...this.#clipboard.actions,
    ];
  }

  async connect() {
    const [{ default: RFB }, logging, { default: keysyms }] = await Promise.all([
      load(NAME, 'novnc/core/rfb.js'),
      load(NAME, 'novnc/core/util/logging.js'),
      load(NAME, 'novnc/core/input/keysymdef.js'),
      ownStyle(),
    ]);
    logging.initLogging('none'); // what it has to say is told as the outcome
    this.#keysyms = keysyms;
    const stream = await this.#source.open({ view: this.#source.view });
    if (this.#undo.signal.aborted) stream.close();
    showDetached(this.#element, stream, { ofMachine: true });
    const session = new Session(RFB, stream, this.#screen, this.#source.view || Boolean(stream.ticket?.view));
    this.#undo.signal.addEventListener('abort', () => session.close());
    const { _framebufferUpdate: update } = session.rfb;
    session.rfb._framebufferUpdate = () => {
      this.#drawn += 1;
      return update.call(session.rfb);
    };
    session.rfb.addEventListener('clipboard', ({ detail }) => this.#clipboard.came(detail.text));
    session.closed.then(() => {
      if (this.#rfb === session.rfb) this.#rfb = this.#clipboard.machine = null;
    });
    await session.connected;
    this.#rfb = session.rfb;
    this.#clipboard.machine = this.#rfb.viewOnly ? null : machineOf(this.#rfb, this.#keysyms);
    return { closed: session.closed, stream, close: () => session.close() };
  }

  focus() {
    this.#rfb?.focus({ preventScroll: true });
  }

  destroy() {
    this.#undo.abort();
    this.#screen.remove();
  }

  async #typeText(rfb) {
    await typeText(this.#element, this.#undo.signal, {
      can: (letter) => LINES.has(letter) || !/\p{C}/u.test(letter),
      // It makes a key of a letter by a keyboard of its own, whose letters it doesn't tell, and drops all others.
      doubts: (letter) => rfb._qemuExtKeyEventSupported && !scancode(letter),
      lives: () => this.#rfb === rfb,
      press: (letter, shift) => {
        if (shift) rfb.sendKey(KEYSYMS.ShiftLeft, 'ShiftLeft', true);
        rfb.sendKey(LINES.get(letter) ?? this.#keysyms.lookup(letter.codePointAt(0)), null);
        if (shift) rfb.sendKey(KEYSYMS.ShiftLeft, 'ShiftLeft', false);
        return true;
      },
      drawn: () => this.#drawn,
      focus: () => rfb.focus({ preventScroll: true }),
    });
  }
}

/** What a clipboard needs of noVNC (machine-clipboard.js). What has an underline isn't in its docs/API.md. */
function machineOf(rfb, keysyms) {
  return {
    takes: () => true, // as far as it says
    give(text) {
      const unicode = rfb._clipboardServerCapabilitiesFormats?.[1]; // text of the extended clipboard
      const strange = unicode ? [] : [...new Set(text)].filter((letter) => letter.codePointAt(0) > 0xff);
      if (strange.length)
        throw new Error(`nothing was pasted, as the VNC server takes no ${strange.slice(0, 10).join(' ')}`);
      rfb.clipboardPasteFrom(text);
    },
    share(on) {
      if (!on) rfb._clipboardText = null; // the server would still get it
    },
    press({ key, code }, more) {
      for (const place of more) rfb.sendKey(KEYSYMS[place], place, true);
      rfb.sendKey(KEYSYMS[code] ?? keysyms.lookup(key.codePointAt(0)), code);
      for (const place of more) rfb.sendKey(KEYSYMS[place], place, false);
    },
  };
}

/** One stream's: from the handshake to the outcome. */
class Session {
  rfb;
  connected; // rejects with an error that has an outcome
  closed;

  #channel;
  #screen;
  #over = new AbortController(); // forms go when the session does
  #leaving = false;
  #said = ''; // why it ended, if that was told inside of the stream

  constructor(RFB, stream, screen, view) {
    this.#screen = screen;
    this.#channel = new Channel(stream);
    dropPicture(screen);
    const rfb = new RFB(screen, this.#channel, { shared: true });
    this.rfb = rfb;
    const canvas = screen.querySelector('canvas');
    Object.assign(rfb, { scaleViewport: true, viewOnly: view, resizeSession: !view, background: 'transparent' });
    const ended = new Promise((resolve) => rfb.addEventListener('disconnect', resolve));
    this.closed = ended.then(() => this.#end(stream, canvas));
    this.connected = new Promise((resolve, reject) => {
      rfb.addEventListener('connect', resolve);
      // What came along with the greeting, such as what the server's clipboard can, it leaves until more comes.
      rfb.addEventListener('connect', () => queueMicrotask(() => rfb._handleMessage()));
      this.closed.then((outcome) => reject(failure(unseen(outcome))));
    });
    rfb.addEventListener('credentialsrequired', ({ detail }) => this.#credentials(detail.types));
    rfb.addEventListener('serververification', ({ detail }) => this.#verify(detail.publickey));
    rfb.addEventListener('securityfailure', ({ detail }) => {
      const { reason } = detail;
      this.#said = reason ? `the VNC server refused: ${line(reason)}` : 'the VNC server refused the password';
    });
    rfb.addEventListener('bell', () => this.#flash());
  }

  close(said = '') {
    this.#leaving = true;
    this.#said ||= said;
    if (this.#channel.readyState === 'open') this.rfb.disconnect();
  }

  async #end(stream, canvas) {
    this.#over.abort();
    keepPicture(this.#screen, canvas);
    const outcome = await stream.closed;
    if (this.#said) return refusal(this.#said);
    if (this.#channel.left && !this.#leaving) {
      // noVNC gave up
      return refusal('the target is not a VNC server that this viewer supports');
    }
    return outcome;
  }

  async #credentials(types) {
    const answer = await askFor(
      this.#screen,
      'The VNC server asks who you are',
      types.map((type) => FIELDS[type]),
      { signal: this.#over.signal },
    );
    if (answer) this.rfb.sendCredentials(answer);
    else this.close('no user or password was given to the VNC server');
  }

  async #verify(key) {
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', key));
    const print = Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join(':');
    const words = `The VNC server shows a key with the SHA-256 ${print}. Is it the right one?`;
    const answer = await askFor(this.#screen, words, [], { signal: this.#over.signal, action: 'Yes' });
    if (answer) this.rfb.approveServer();
    else this.close("the VNC server's key was not accepted");
  }

  #flash() {
    this.#screen.classList.add('bell');
    setTimeout(() => this.#screen.classList.remove('bell'), 150);
  }
}
