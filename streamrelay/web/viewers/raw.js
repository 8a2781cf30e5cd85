// Bytes as they are: as text or in hex, to send some, and to keep what came. Nothing that comes is anything but text.

import { LastBytes } from './raw-bytes.js';
import { hexRows, parseHex, plain } from './raw-text.js';
import { ownStyle } from './third-party.js';

const SHOWN = 65_536; // bytes that are on the page; a multiple of 16
const KEPT = 64 << 20; // bytes that can be saved, the last ones
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
  #stream = null;

  constructor(element, source) {
    this.#element = element;
    this.#source = source;
    this.#parts = build(element);
    const { output, modes, form } = this.#parts;
    modes.addEventListener('change', ({ target }) => {
      this.#mode = target.value;
      output.classList.toggle('hex', this.#mode === 'hex');
      this.#draw();
    });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
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
    this.#parts.form.hidden = view;
    return { closed: this.#show(stream).then(() => stream.closed), close: () => stream.close() };
  }

  focus() {
    const { input, output, form } = this.#parts;
    (form.hidden ? output : input).focus();
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
    output.textContent = this.#mode === 'hex' ? hexRows(bytes, start) : plain(bytes);
    count.textContent = start ? `${came} bytes; the last ${bytes.length} are shown` : `${came} bytes`;
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
    const { input, how, said } = this.#parts;
    const bytes = how.value === 'hex' ? parseHex(input.value) : ENCODER.encode(input.value + LINE_ENDS[how.value]);
    if (!bytes) said.textContent = 'hex digits are expected, two for each byte';
    else if (!this.#writer) said.textContent = 'not connected';
    else {
      said.textContent = '';
      input.value = '';
      this.#writer.write(bytes).catch(() => {}); // of a stream that broke its outcome tells
    }
  }
}

const LINE_ENDS = { lf: '\n', crlf: '\r\n', none: '' };
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
  const output = make('pre', { className: 'raw-output', tabIndex: 0 });
  output.setAttribute('aria-label', 'What the target says');
  const input = make('input', { autocomplete: 'off', spellcheck: false, autocapitalize: 'off' });
  input.setAttribute('aria-label', 'What to send');
  const how = make('select', {}, ...choices(WAYS));
  how.setAttribute('aria-label', 'Send as');
  const said = make('span', { className: 'raw-said' });
  said.setAttribute('role', 'status');
  const form = make('form', { className: 'raw-send', hidden: true }, input, how, make('button', {}, 'Send'), said);
  const bar = make('div', { className: 'raw-bar' }, modes, count);
  element.append(make('div', { className: 'raw-frame' }, bar, output, form));
  return { modes, count, output, form, input, how, said };
}

function choices(words) {
  return Object.entries(words).map(([value, label]) => new Option(label, value));
}
