// A terminal: xterm.js on a stream. The scrollback stays over reconnects; a target's bytes touch nothing but the terminal.
// One that its host keeps has others, too, and is drawn anew as it is when it is attached to again.

import { copiedText, copyText } from './clipboard.js';
import { showDetached } from './detached.js';
import { allowStyleAttribute, withStyles } from './inline-style.js';
import { isAnswer } from './terminal-answers.js';
import { choose, chosen, META, READER } from './terminal-choices.js';
import { Company } from './terminal-company.js';
import { scrollByFinger } from './terminal-fingers.js';
import { keyBar } from './terminal-keys.js';
import { ADDRESS, follow } from './terminal-links.js';
import { Output } from './terminal-output.js';
import { guardPastes, harmless } from './terminal-paste.js';
import { Search } from './terminal-search.js';
import { Size, USUAL } from './terminal-size.js';
import { takeTextWithoutKeys } from './terminal-text.js';
import { themeOf } from './terminal-themes.js';
import { countColumns } from './terminal-widths.js';
import { load, loadStyle, ownStyle } from './third-party.js';

const NAME = "the terminal's viewer (xterm.js)";
const SCROLLBACK = 10_000; // lines
const ENCODER = new TextEncoder();
const ON_MAC = /^Mac/.test(navigator.platform); // as xterm.js has it
// Keys that go to the target, and would do something to the page where xterm.js lets the browser have them, too.
const PAGES_OWN = /^(F\d+|Tab|Escape)$/;

/** A viewer of a terminal in `element`; `source` opens its streams (docs/architecture.rst, "The pages' files"). */
export function create(element, source) {
  return new Terminal(element, source);
}

class Terminal {
  #element;
  #source;
  #terminal = null;
  #output = null;
  #size = null;
  #search = null;
  #company = new Company((what) => this.#element.dispatchEvent(new Event(what)));
  #stream = null; // the one whose bytes are shown
  #kept = ''; // the kept terminal that it is of
  #view = false;
  #writer = null; // null while nothing may be sent
  /** @type {PromiseWithResolvers<void>} */
  #gone = Promise.withResolvers();
  #undo = new AbortController(); // of listeners

  constructor(element, source) {
    this.#element = element;
    this.#source = source;
  }

  /** Whether leaving ends what runs here, which takes keys. */
  get living() {
    return this.#writer !== null && !this.#kept;
  }

  get actions() {
    const terminal = this.#terminal;
    if (!terminal) return [];
    return [
      { label: 'Copy selection', run: () => copyText(terminal.getSelection()) },
      { label: 'Paste', run: async () => terminal.paste(harmless(await copiedText())) },
      { label: 'Search', run: () => this.#search.open() },
      { label: 'Clear scrollback', run: () => terminal.clear() },
      { label: 'Larger text', run: () => this.#size.zoom(2) },
      { label: 'Smaller text', run: () => this.#size.zoom(-2) },
      this.#choice('Screen reader support', 'screenReaderMode', READER),
      ...(ON_MAC ? [this.#choice('Option key as Meta', 'macOptionIsMeta', META)] : []),
    ];
  }

  async connect() {
    await this.#prepare();
    const stream = await this.#source.open({ view: this.#source.view }).catch((error) => {
      if (error.status === 410) this.#company.element.remove(); // nothing is left to leave running, or to end
      throw error;
    });
    if (this.#stream) await Promise.race([this.#clear(stream), this.#gone.promise]);
    if (this.#undo.signal.aborted) stream.close();
    else this.#begin(stream);
    const closed = Promise.race([this.#show(stream), this.#gone.promise]).then(() => stream.closed);
    return { closed, stream, close: () => stream.close() };
  }

  focus() {
    this.#terminal?.focus();
  }

  destroy() {
    this.#undo.abort();
    this.#gone.resolve();
    this.#stream?.close();
    this.#stream = this.#writer = null;
    this.#terminal?.dispose();
    this.#terminal = null;
    this.#element.replaceChildren();
  }

  // -- the terminal --------------------------------------------------------------------------------------------

  async #prepare() {
    if (this.#terminal) return;
    const [xterm, fit, graphemes, links] = await Promise.all([
      load(NAME, 'xterm/lib/xterm.mjs'),
      load(NAME, 'addon-fit/lib/addon-fit.mjs'),
      load(NAME, 'addon-unicode-graphemes/lib/addon-unicode-graphemes.mjs').catch(() => null), // a platform's own folder
      load(NAME, 'addon-web-links/lib/addon-web-links.mjs').catch(() => null), // of viewers may lack it; its log says so
      loadStyle(NAME, 'xterm/css/xterm.css'), // sizes are measured when the terminal is opened
      ownStyle(),
    ]);
    if (this.#terminal || this.#undo.signal.aborted) return;
    allowStyleAttribute(HTMLSpanElement); // colours of 24 bits
    const terminal = new xterm.Terminal({
      allowProposedApi: true, // marks of matches, columns of letters
      fontFamily: 'ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace',
      fontSize: USUAL,
      lineHeight: 1.1, // at 1 some sizes of DejaVu Sans Mono have no underscores; much more would cut frames apart
      linkHandler: { activate: (_event, address) => follow(address) },
      macOptionClickForcesSelection: true, // what Shift does elsewhere while a program has the mouse
      macOptionIsMeta: chosen(META),
      minimumContrastRatio: 4.5, // WCAG 2.2, 1.4.3
      screenReaderMode: chosen(READER),
      scrollback: SCROLLBACK,
    });
    this.#terminal = terminal;
    this.#output = new Output(terminal);
    const fitting = new fit.FitAddon();
    terminal.loadAddon(fitting);
    if (graphemes) countColumns(terminal, new graphemes.UnicodeGraphemesAddon());
    if (links) terminal.loadAddon(new links.WebLinksAddon((_event, address) => follow(address), { urlRegex: ADDRESS }));
    this.#place(terminal, fitting);
    this.#listen(terminal);
  }

  #place(terminal, fitting) {
    const screen = document.createElement('div');
    screen.className = 'terminal-screen';
    const keys = keyBar(terminal);
    const frame = document.createElement('div');
    frame.className = 'terminal-frame';
    frame.append(screen, keys.element);
    this.#element.replaceChildren(frame);
    withStyles(() => terminal.open(screen));
    guardPastes(screen, terminal);
    takeTextWithoutKeys(screen, terminal);
    scrollByFinger(screen, terminal);
    this.#search = new Search(frame, terminal);
    this.#size = new Size(terminal, fitting, screen, {
      tell: (columns, rows) => this.#stream?.resize(columns, rows), // which sees that it isn't told too often
      changed: () => this.#company.sized(this.#size.others, this.#view),
    });
    terminal.onData((text) => this.#typed(keys.apply(text)));
    terminal.onBinary((text) => this.#send(Uint8Array.from(text, (letter) => letter.charCodeAt(0))));
    const observer = new ResizeObserver(() => this.#size.look());
    observer.observe(screen);
    this.#undo.signal.addEventListener('abort', () => observer.disconnect());
  }

  #listen(terminal) {
    this.#followTheme(terminal);
    terminal.onBell(() => this.#flash());
    terminal.onKey(({ domEvent }) => {
      if (PAGES_OWN.test(domEvent.key)) domEvent.preventDefault();
      this.#size.typed();
    });
    terminal.attachCustomKeyEventHandler((event) => {
      const ours = event.ctrlKey && event.shiftKey && !event.altKey;
      const act = ours ? this.#shortcuts[event.code] : undefined;
      if (act && event.type === 'keydown') {
        event.preventDefault(); // a browser would open its tools, and take the focus
        act().catch((why) => this.#say(why.message));
      }
      return !(act || (ours && event.code === 'KeyV')); // the browser's own paste, as text
    });
  }

  #shortcuts = {
    KeyC: () => copyText(this.#terminal.getSelection()),
    KeyF: () => this.#search.open(),
  };

  /** What is on or off, in this terminal now and in all later ones. */
  #choice(label, option, name) {
    const { options } = this.#terminal;
    const on = !options[option];
    const run = () => {
      options[option] = on;
      choose(name, on);
    };
    return { label: `${label} ${on ? 'on' : 'off'}`, run };
  }

  /** The page's colours: those of the system, or what somebody has chosen on the page. */
  #followTheme(terminal) {
    const { signal } = this.#undo;
    const frame = this.#element.firstChild;
    const follow = () => {
      terminal.options.theme = themeOf(getComputedStyle(frame).backgroundColor);
    };
    const chosen = new MutationObserver(follow);
    chosen.observe(document.documentElement, { attributes: true });
    signal.addEventListener('abort', () => chosen.disconnect());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', follow, { signal });
    follow();
  }

  /** Let the page say something to who sits there. */
  #say(words) {
    this.#element.dispatchEvent(new CustomEvent('said', { detail: words }));
  }

  #flash() {
    const { classList } = this.#element.firstChild;
    if (classList.contains('bell')) return;
    classList.add('bell');
    setTimeout(() => classList.remove('bell'), 150);
  }

  // -- the stream ----------------------------------------------------------------------------------------------

  /** What is shown is of the stream before: the same terminal comes whole, anything else below it. */
  async #clear(stream) {
    if (!this.#kept || stream.ticket?.terminal !== this.#kept) return this.#output.afresh();
    await this.#output.parsed();
    this.#terminal.reset();
  }

  #begin(stream) {
    const view = this.#source.view || Boolean(stream.ticket?.view);
    const frame = this.#element.firstChild;
    this.#terminal.options.disableStdin = view;
    frame.classList.toggle('view-only', view);
    showDetached(this.#element, stream);
    this.#stream = stream;
    this.#view = view;
    this.#kept = stream.ticket?.terminal ?? '';
    this.#writer = view ? null : stream.writable.getWriter();
    if (this.#kept) frame.prepend(this.#company.element);
    else this.#company.element.remove();
    this.#company.show(stream, this.#source.user, view);
    this.#size.begin({ kept: Boolean(this.#kept), view });
  }

  /** Show what comes until nothing more does; what the terminal can't take stays with the host. */
  async #show(stream) {
    const reader = stream.items.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done || stream !== this.#stream) break;
        if (value instanceof Uint8Array) {
          await this.#output.write(value);
          if (this.#size.waits) void this.#output.parsed().then(() => this.#size.drawn());
        } else await this.#told(value, stream);
      }
    } catch {
      // a stream that broke; its outcome says how
    }
    if (stream !== this.#stream) return;
    if (!this.#kept) this.#company.element.remove();
    this.#company.show({ people: null, others: 0 }, '', this.#view);
    this.#size.end();
    this.#writer?.close().catch(() => {});
    this.#writer = null;
    this.#terminal.options.disableStdin = true; // until the next stream
  }

  /** What the host says of it, in order with its bytes. */
  async #told({ exit, people, size }, stream) {
    if (people !== undefined) this.#company.show(stream, this.#source.user, this.#view);
    if (size !== undefined && stream.size) {
      await this.#output.parsed();
      if (stream === this.#stream) this.#size.given(stream.size);
    }
    if (exit === undefined) return;
    this.#source.ended?.();
    this.#kept = '';
    await this.#output.afresh(); // the program's screen, letters and region are not the page's
    await this.#output.write(`the command ended with status ${exit}\r\n`);
  }

  /** Whoever types gives the terminal their window's size, but not what it answers by itself. */
  #typed(text) {
    if (!isAnswer(text)) this.#size.typed();
    this.#send(ENCODER.encode(text));
  }

  #send(bytes) {
    this.#writer?.write(bytes).catch(() => {}); // a stream that broke; its outcome says how
  }
}
