// Bytes as they are: as text or in hex, to send some, and to keep what came. Nothing that comes is anything but text.

import { several } from '../log/several.js';
import { showDetached } from './detached.js';
import { LastBytes } from './raw-bytes.js';
import { hexRows, parseHex, plain } from './raw-text.js';
import { ownStyle } from './third-party.js';

const SHOWN = 65_536; // bytes that are on the page; a multiple of 16
const KEPT = 64 << 20; // bytes that can be saved, the last ones
const MOST = 1 << 20; // bytes that may wait to be sent
const DRAW_EVERY = 200; // milliseconds
const ENCODER = new TextEncoder();

/** A viewer of any target in `element`; `source` opens its streams (docs/architecture.rst, "The pages' files"). */
export function create(element, source) {
  return new Raw(element, source);
}

class Raw {
  #source;
  #element;
  #parts;
  #bytes = new LastBytes(KEPT);
  #mode = 'text';
  #drawing = 0;
  #writer = null;
  #unsent = 0; // bytes
  #stream = null;

  constructor(element, source) {
    this.#element = element;
    this.#source = source;
    this.#parts = build(element);
    const { output, modes, form, input, how } = this.#parts;
    modes.addEventListener('change', ({ target }) => {
      this.#mode = target.value;
      output.classList.toggle('hex', this.#mode === 'hex');
      this.#draw();
    });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    how.addEventListener('change', () => {
      input.placeholder = HINTS[how.value];
    });
    input.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
    input.addEventListener('paste', (event) => {
      const { length } = event.clipboardData?.getData('text/plain') ?? '';
      if (length <= MOST) return;
      event.preventDefault(); // a page stands still over a field of that size
      this.#say(
        `nothing was pasted, as it is too much: ${length} characters, and at most ${MOST} bytes are sent at once`,
      );
    });
  }

  get actions() {
    return [
      { label: 'Save what came', run: () => this.#save() },
      { label: 'Clear', run: () => this.#clear() },
    ];
  }

  async connect() {
    await ownStyle();
    const stream = await this.#source.open({ view: this.#source.view });
    const view = this.#source.view || Boolean(stream.ticket?.view);
    this.#stream = stream;
    this.#writer = view ? null : stream.writable.getWriter();
    this.#parts.form.hidden = this.#parts.empty.lastElementChild.hidden = view;
    this.#say('');
    this.#draw();
    showDetached(this.#element, stream);
    return { closed: this.#show(stream).then(() => stream.closed), stream, close: () => stream.close() };
  }

  focus() {
    const { empty, input, output, form } = this.#parts;
    const looks = output.hidden ? empty : output;
    (form.hidden ? looks : input).focus();
  }

  destroy() {
    this.#stream?.close();
    this.#stream = this.#writer = null;
    clearTimeout(this.#drawing);
    this.#element.replaceChildren();
  }

  async #show(stream) {
    try {
      const reader = stream.readable.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        this.#bytes.append(value);
        this.#drawing ||= setTimeout(() => this.#draw(), DRAW_EVERY);
      }
    } catch {
      // the stream broke; its outcome says how
    }
    if (stream !== this.#stream) return;
    this.#writer?.close().catch(() => {});
    this.#writer = null;
  }

  // -- what is shown -------------------------------------------------------------------------------------------

  #draw() {
    clearTimeout(this.#drawing);
    this.#drawing = 0;
    const { output, count } = this.#parts;
    const follows = output.scrollHeight - output.scrollTop - output.clientHeight < 40;
    const { came } = this.#bytes;
    const start = Math.max(0, Math.ceil((came - SHOWN) / 16) * 16);
    const bytes = this.#bytes.last(came - start);
    const text = this.#mode === 'hex' ? hexRows(bytes, start) : plain(bytes);
    output.textContent = text;
    const what = [several(came, 'byte')];
    if (start) what.push(`the last ${bytes.length} are shown`);
    if (this.#mode !== 'hex' && text.includes('\ufffd')) what.push('not all of it is text: hex shows each byte');
    count.textContent = what.join('; ');
    output.hidden = !came;
    this.#parts.empty.hidden = came > 0;
    if (follows) output.scrollTop = output.scrollHeight;
  }

  #clear() {
    this.#bytes = new LastBytes(KEPT);
    this.#draw();
  }

  #save() {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob(this.#bytes.parts(), { type: 'application/octet-stream' }));
    link.download = `${this.#source.host}-${this.#source.target}.bin`.replace(/[^\w.-]+/g, '-');
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // by then the browser has it
  }

  // -- what is sent --------------------------------------------------------------------------------------------

  #submit() {
    const { input, how } = this.#parts;
    const bytes = bytesOf(input.value, how.value);
    if (!bytes) this.#say('hex digits are expected, two for each byte');
    else if (!this.#writer) this.#say('not connected');
    else if (bytes.length > MOST) this.#say(`too much: ${bytes.length} bytes, and at most ${MOST} are sent at once`);
    else if (this.#unsent + bytes.length > MOST) this.#say('the target has not taken what was sent before');
    else {
      this.#say('');
      input.value = '';
      this.#send(bytes);
    }
  }

  #send(bytes) {
    this.#unsent += bytes.length;
    const taken = () => {
      this.#unsent -= bytes.length;
    };
    this.#writer.write(bytes).then(taken, taken); // of a stream that broke its outcome tells
  }

  #say(words) {
    this.#parts.said.textContent = words;
  }
}

/** What is sent of what was entered; null if it is no hex. */
export function bytesOf(text, how) {
  if (how === 'hex') return parseHex(text);
  const end = LINE_ENDS[how];
  return ENCODER.encode(end ? text.replace(/\r?\n/g, end) + end : text);
}

const LINE_ENDS = { lf: '\n', crlf: '\r\n', none: '' };
const HINTS = {
  lf: 'A line to send; Shift-Enter begins another one',
  crlf: 'A line to send; Shift-Enter begins another one',
  none: 'Text to send, with no more than is in it',
  hex: 'Bytes to send, such as 48 65 6c 6c 6f 0a',
};
const EMPTY = [
  'Nothing has come yet.',
  'This is the connection itself, for what has no viewer of its own: whatever the target sends is shown here, as text or in hex.',
  'What you send below goes as it is. Some targets wait to be asked first, as those of HTTP.',
];
const MODES = { text: 'Text', hex: 'Hex' };
const WAYS = { lf: 'line (LF)', crlf: 'line (CR LF)', none: 'text as it is', hex: 'bytes in hex' };

/** The elements, by what they are for. */
function build(element) {
  const make = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const modes = make('select', {}, ...choices(MODES));
  modes.setAttribute('aria-label', 'Show as');
  const count = make('span', { className: 'raw-count' });
  const output = make('pre', { className: 'raw-output', tabIndex: 0, hidden: true });
  output.setAttribute('role', 'region'); // one without a role may have no name
  output.setAttribute('aria-label', 'What the target says');
  const empty = make('div', { className: 'raw-empty', tabIndex: 0 }, ...EMPTY.map((words) => make('p', {}, words)));
  const hints = { placeholder: HINTS.lf, rows: 2 };
  const input = make('textarea', { autocomplete: 'off', spellcheck: false, autocapitalize: 'off', ...hints });
  input.setAttribute('aria-label', 'What to send');
  const how = make('select', {}, ...choices(WAYS));
  how.setAttribute('aria-label', 'Send as');
  const said = make('span', { className: 'raw-said' });
  said.setAttribute('role', 'status');
  const form = make('form', { className: 'raw-send', hidden: true }, input, how, make('button', {}, 'Send'), said);
  const bar = make('div', { className: 'raw-bar' }, modes, count);
  element.append(make('div', { className: 'raw-frame' }, bar, empty, output, form));
  return { modes, count, empty, output, form, input, how, said };
}

function choices(words) {
  return Object.entries(words).map(([value, label]) => new Option(label, value));
}
