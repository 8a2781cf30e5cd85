/**
 * The client of streamrelay, for pages and for Node 22 or newer: one file, no dependencies (docs/javascript.rst). Streams
 * that resume need streamrelay-resume.js beside it, which is loaded for them alone.
 *
 *     import { open } from './streamrelay.js';
 *     const stream = await open({ host: 'web-1', target: 'log' });
 *     for await (const bytes of stream.readable) show(bytes);
 *
 * A ticket's URL holds a token. It stands in no message, error or log of this file.
 * @module
 * @import { ConnectOptions, KeptTerminal, OfHost, Outcome, Person, Resume, Ticket, Wanted } from './streamrelay.js'
 * @import { Resumption } from './streamrelay-resume.js'
 */

const PROTOCOL = 'streamrelay.v1';
const WATCHED = 'streamrelay.v1.ping'; // the same, by a relay that answers pings (protocol.rst, "Liveness")
const LINES = 'application/x-ndjson'; // an answer whose first line comes early (protocol.rst, "Early answers")
const PATIENCE = 20_000; // ms that the platform, and then the relay, may take; the platform gives its host ten
const CHUNK = 65536; // bytes of a message that we send
const UNSENT = 1 << 20; // bytes that the websocket may hold unsent before a write waits
const POLL = 50; // ms; at least so often a write that waits looks again
const HIGH = 1 << 20; // bytes that wait for the reader, over which the agent is asked to hold
const LOW = HIGH / 4; // bytes under which it may go on
const MOST = 64 << 20; // bytes over which the stream is given up, as its agent doesn't hold
const OVERHEAD = 64; // bytes that a message costs us beside its own
const CONTROL = 4096; // characters of a control message; whoever sends longer ones is no relay of ours
const LOOK = 1000; // ms between two looks at the links
const LATE = 3000; // ms after a look at which this machine has slept, or the page stood still, if the next one comes then
const QUIET = 12; // looks without a message, at which the relay is asked
const ANSWER = 5; // looks that its answer may take
const AHEAD = 16384; // bytes that we send between two looks, beyond which an answer may have to wait
const PATIENT = 12; // looks for which that counts
const PACE = 250; // ms between two sizes, or two holds; a relay bears 16 control messages a second (protocol.rst, "Rate")

/** What each close code means (protocol.rst, "Close codes"). */
const WORDS = {
  1000: 'finished; every byte was delivered',
  1001: 'the relay is shutting down',
  1002: 'protocol error',
  1005: 'finished',
  1006: 'the connection to the relay broke',
  1007: 'text that is not UTF-8',
  1008: 'too many control messages',
  1009: 'a frame or control message that is too big',
  1011: 'an error in the relay or the agent',
  1012: 'the relay stops; the stream goes on elsewhere',
  1013: 'overloaded, try again',
  4001: 'the target refused the connection',
  4002: "the target can't be reached",
  4003: 'the target reset the connection',
  4004: 'timed out waiting for the other side',
  4005: 'lost the connection to the other side',
  4006: 'ended by an operator',
  4008: 'idle too long',
  4009: 'reached its maximum lifetime',
  4011: 'byte quota used up',
};
const SILENT = 'the relay does not answer'; // of a link that is dead
const TRANSIENT_CODES = [1001, 1006, 1012, 1013, 4004, 4005];
const TRANSIENT_STATUSES = [0, 429, 503, 504];
const TRANSIENT_REFUSALS = ['dial_failed']; // the agent can't reach the relay

/** What others say, in one line without control characters. */
const line = (text) =>
  String(text)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .slice(0, 300);

/**
 * How a stream ended, by its close code, what the other end said, and the command's exit status if there is one.
 * @returns {Outcome}
 */
export function outcome(code, reason = '', exit = undefined) {
  const said = line(reason);
  const clean = code === 1000 || code === 1005;
  const known = WORDS[code] ?? (said || `ended for a reason that is not known here (${code})`);
  const words = clean && exit !== undefined ? `the command ended with status ${exit}` : known;
  const result = { code, reason: said, words, clean, transient: TRANSIENT_CODES.includes(code) };
  return exit === undefined ? result : { ...result, exit };
}

/** An outcome as an error; its message is the words, and the reason if that says more. */
function failure(result) {
  const { words, reason } = result;
  const more = reason && reason !== words ? ` (${reason})` : '';
  return Object.assign(new Error(words + more), { outcome: result });
}

/** A websocket that never was open: a page isn't told why. */
const unopened = (words, transient) => failure({ ...outcome(1006), words, transient });

/** The platform's no, in its own words. `status` is HTTP's, or 0 where there was no answer. */
export class Refused extends Error {
  constructor(status, code, detail, retryAfter = 0) {
    super(detail);
    this.name = 'Refused';
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
    /** @type {{ code: number, reason: string, exit?: number } | null} How a stream that is over had ended, if that is known. */
    this.ended = null;
    this.transient = TRANSIENT_STATUSES.includes(status) || TRANSIENT_REFUSALS.includes(code);
  }
}

/**
 * Ask the platform for a stream, without opening its websocket: for programs that do that themselves.
 * Rejects with `Refused`, or with the signal's reason.
 * @type {(wanted: Wanted, early?: (url: string, stream: string) => void) => Promise<Ticket>}
 */
export async function ask(wanted, early) {
  const { host, target, view, place, after, lines, channels, zone, resume, terminal } = wanted;
  const where = { ...(place && { place, after: after ?? 0 }), ...(lines != null && { lines }) };
  const more = { ...(channels && { channels: true }), ...(zone && { zone }), ...(resume && { resume: true }) };
  const how = { ...(view && { view }), ...where, ...more };
  const which = { host, target, ...(terminal && { terminal }) };
  const answer = await asked(wanted, '/v1/streams', { ...which, ...how }, early);
  const plain = { stream: '', kind: '', viewer: 'raw', links: 1, view: false, expires: 0 };
  return { ...plain, channels: 0, resume: 0, terminal: '', ...answer };
}

/**
 * The terminals that a host keeps and that this user may attach to. Rejects with `Refused`, or with the signal's reason.
 * @type {(wanted: OfHost) => Promise<KeptTerminal[]>}
 */
export async function terminals(wanted) {
  const answer = await request(wanted, 'GET', terminalsOf(wanted), 200);
  if (!Array.isArray(answer.terminals)) throw invalid(200);
  return answer.terminals.map((one) => ({ ...one, people: peopleOf(one?.people) ?? [] }));
}

/**
 * End a kept terminal: its program, and all streams of it. Rejects with `Refused`, or with the signal's reason.
 * @type {(wanted: OfHost & { terminal: string }) => Promise<void>}
 */
export async function endTerminal(wanted) {
  await request(wanted, 'DELETE', `${terminalsOf(wanted)}/${encodeURIComponent(wanted.terminal)}`, 204);
}

const terminalsOf = ({ host }) => `/v1/hosts/${encodeURIComponent(host)}/terminals`;

/**
 * Who is attached to a terminal, as others say it; null if that is nothing of the kind.
 * @type {(said: any) => Person[] | null}
 */
function peopleOf(said) {
  if (!Array.isArray(said)) return null;
  const known = said.filter((one) => typeof one?.user === 'string');
  return known.map((one) => ({ ...one, user: line(one.user), view: one.view === true }));
}

const isSize = (size) => Number.isInteger(size) && size >= 1 && size <= 10000;

/**
 * Ask for new legs of a stream that resumes. What isn't the platform's own word, as it has no code, says nothing of the
 * stream: a proxy answers 404 as well while the platform is restarted.
 * @type {(wanted: Wanted, position: Parameters<Resume>[0]) => ReturnType<Resume>}
 */
async function askAgain(wanted, { stream, received, try: number, view, signal, early }) {
  const { host, target, zone } = wanted;
  const path = `/v1/streams/${encodeURIComponent(stream)}/resume`;
  const body = { host, target, received, try: number, ...(view && { view }), ...(zone && { zone }) };
  try {
    return await asked({ ...wanted, signal }, path, body, early);
  } catch (/** @type {any} */ error) {
    if (error.status && !error.code) error.status = 0;
    throw error;
  }
}

/**
 * Have the platform end a stream, as its page goes and nothing that it says by a websocket arrives (Firefox drops that, and
 * a stream that is detached has none), or as it isn't opened after all. Who may not end it has its host wait.
 * @type {(wanted: Wanted, stream: string) => void}
 */
function leave(wanted, stream) {
  const { platform = globalThis.location?.origin, key, csrf, fetch = globalThis.fetch } = wanted;
  /** @type {Record<string, string>} */
  const headers = {};
  if (key) headers.Authorization = `Bearer ${key}`;
  if (csrf) headers['X-CSRF-Token'] = csrf;
  const url = `${baseOf(platform)}/v1/streams/${encodeURIComponent(stream)}`;
  const credentials = key ? 'omit' : 'same-origin';
  fetch(url, { method: 'DELETE', headers, credentials, keepalive: true, redirect: 'error' }).catch(() => {});
}

/** What the platform says to a request for legs. */
async function asked(wanted, path, body, early) {
  const answer = await request(wanted, 'POST', path, 201, { body: JSON.stringify(body), early });
  if (typeof answer.url !== 'string') throw invalid(201);
  return answer;
}

const invalid = (status) => new Refused(status, 'bad_answer', 'the platform gave an invalid answer');

/** How a stream had ended, as its host remembers it. */
function pastEnd(ended) {
  const { code, reason = '', exit } = Object(ended);
  if (!Number.isInteger(code) || typeof reason !== 'string') return null;
  return { code, reason, ...(Number.isInteger(exit) && { exit }) };
}

/**
 * The object that the platform answers with the status that means yes.
 * @type {(wanted: OfHost, method: string, path: string, yes: number,
 *   more?: { body?: string, early?: (url: string, stream: string) => void }) => Promise<any>}
 */
async function request(wanted, method, path, yes, { body, early } = {}) {
  const { status, retryAfter, text } = await send(wanted, method, path, body, early);
  const answer = parsed(text);
  wanted.signal?.throwIfAborted();
  if (status === yes) return answer;
  const detail = typeof answer.detail === 'string' ? line(answer.detail) : `the platform answered ${status}`;
  const refused = new Refused(status, typeof answer.code === 'string' ? line(answer.code) : '', detail, retryAfter);
  throw Object.assign(refused, { ended: pastEnd(answer.ended) });
}

/** A platform's URL without the slash at its end. What a browser would take for a path of this page would give its key away. */
function baseOf(platform) {
  if (!platform || platform === 'null') throw new TypeError('platform: its URL is needed outside of its own pages');
  if (!/^(https?:\/)?\/(?!\/)/i.test(platform))
    throw new TypeError(`platform: ${platform} is no http:// or https:// URL`);
  return String(platform).replace(/\/+$/, '');
}

/**
 * @type {(wanted: OfHost, method: string, path: string, body?: string, early?: (url: string, stream: string) => void)
 *   => Promise<{ status: number, retryAfter: number, text: string }>}
 */
async function send(wanted, method, path, body, early) {
  const { platform = globalThis.location?.origin, key, csrf, signal, fetch = globalThis.fetch } = wanted;
  const base = baseOf(platform);
  const late = AbortSignal.timeout(PATIENCE);
  /** @type {Record<string, string>} */
  const headers = { Accept: early ? `${LINES}, application/json` : 'application/json' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (key) headers.Authorization = `Bearer ${key}`;
  if (csrf) headers['X-CSRF-Token'] = csrf;
  try {
    const response = await fetch(`${base}${path}`, {
      method,
      headers,
      body,
      signal: signal ? AbortSignal.any([signal, late]) : late,
      redirect: 'error',
      credentials: key ? 'omit' : 'same-origin',
      cache: 'no-store',
      referrerPolicy: 'no-referrer',
    });
    const retryAfter = Number(response.headers.get('Retry-After')) || 0;
    return { retryAfter, ...(await read(response, early)) };
  } catch (error) {
    signal?.throwIfAborted();
    const cause = /** @type {{ cause?: { message?: string, code?: string } }} */ (error)?.cause; // of Node, not of browsers
    const why = line(cause?.message || cause?.code || '');
    const unreached = `the platform can't be reached${why && `: ${why}`}`;
    throw new Refused(0, 'unreachable', late.aborted ? 'the platform does not answer' : unreached);
  }
}

/** An answer's status and text. Of one of lines the first one's URL is told as it comes, and the last is the answer. */
async function read(response, early) {
  if (!early || response.status !== 200) return { status: response.status, text: await response.text() };
  let text = '';
  const decoder = new TextDecoder();
  const reader = response.body?.getReader?.();
  for (let told = false; reader; ) {
    const { done, value } = await reader.read();
    text += decoder.decode(value, { stream: !done });
    if (done) break;
    const end = text.indexOf('\n');
    if (told || end < 0) continue;
    told = true;
    const { url, stream = '' } = parsed(text.slice(0, end));
    if (typeof url === 'string') early(url, stream);
  }
  if (!reader) text = await response.text();
  const [, ...more] = text.trimEnd().split('\n');
  const last = more.pop() ?? '';
  return { status: parsed(last).status ?? 201, text: last };
}

/** An object that somebody else sent as JSON; an empty one if it is none. */
const parsed = (text) => parsedObject(text) ?? {};

/** The same, or null. */
function parsedObject(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

/**
 * Ask for a stream and open it, as soon as the platform says where. Rejects with `Refused`, an error with an
 * `outcome`, or the signal's reason.
 * @type {(wanted: Wanted) => Promise<Stream>}
 */
export async function open(wanted) {
  const { signal, WebSocket } = wanted;
  const resuming = wanted.resume ? resumptions(wanted, { WebSocket }) : null; // while the platform is asked
  const leaving = new AbortController();
  const either = signal ? AbortSignal.any([signal, leaving.signal]) : leaving.signal;
  let [early, begun] = ['', ''];
  /** @type {Promise<Stream> | null} */
  let connecting = null;
  const told = (url, stream) => {
    [early, begun] = [url, stream];
    connecting = streamAt(url, { signal: either, WebSocket }, resuming);
    connecting.catch(() => {}); // what the platform says comes first
  };
  try {
    const ticket = await ask(wanted, told);
    begun = ticket.stream;
    const other = early !== ticket.url;
    if (other) leaving.abort();
    connecting = other ? streamAt(ticket.url, { signal, WebSocket }, resuming) : connecting;
    const stream = /** @type {Stream} */ (/** @type {unknown} */ (await connecting));
    stream.ticket = ticket;
    return stream;
  } catch (error) {
    leaving.abort();
    if (begun && !(error instanceof Refused && error.status >= 400)) leaveUnopened(wanted, begun);
    throw error;
  }
}

/** Have the platform end a stream that nobody will have; whatever becomes of that, the caller is told why it isn't open. */
function leaveUnopened(wanted, stream) {
  try {
    leave(wanted, stream);
  } catch {
    // no request can be made here
  }
}

/**
 * Open the stream of a ticket's URL. Rejects with an error that has an `outcome`, or with the signal's reason.
 * @type {(url: string, options?: ConnectOptions) => Promise<Stream>}
 */
export async function connect(url, { signal, WebSocket, ticket = null, resume } = {}) {
  const resumes = (ticket?.resume ?? 0) > 0;
  if (resumes && !resume) throw new TypeError('resume: this ticket is that of a stream that resumes');
  const resuming = resumes && resume ? resumptions(resume, { WebSocket }) : null;
  try {
    const stream = await streamAt(url, { signal, WebSocket }, resuming);
    stream.ticket = ticket;
    return stream;
  } catch (error) {
    if (ticket?.stream && resume && typeof resume !== 'function') leaveUnopened(resume, ticket.stream);
    throw error;
  }
}

/**
 * What makes a stream resume, for each that is opened. Its code is loaded when it is first wanted.
 * @type {(resume: Wanted | Resume, options: ConnectOptions) => Promise<() => Resumption>}
 */
function resumptions(resume, { WebSocket }) {
  const again = typeof resume === 'function' ? resume : (position) => askAgain(resume, position);
  const reachAgain = (url, signal) => reach(url, { signal, WebSocket });
  const leaveIt = (stream) => typeof resume !== 'function' && leave(resume, stream);
  const loading = import('./streamrelay-resume.js').then(
    ({ Resumption }) =>
      () =>
        new Resumption({ ask: again, reach: reachAgain, leave: leaveIt, waking }),
    (cause) => {
      throw new TypeError('resume: streamrelay-resume.js, which belongs beside streamrelay.js, is not there', {
        cause,
      });
    },
  );
  loading.catch(() => {}); // who opens the stream is told
  return loading;
}

/** @type {(url: string, options: ConnectOptions, resuming: Promise<() => Resumption> | null) => Promise<Stream>} */
async function streamAt(url, { signal, WebSocket }, resuming) {
  const leg = await reach(url, { signal, WebSocket });
  try {
    const make = await resuming;
    return new Stream(leg, signal, make?.() ?? null);
  } catch (error) {
    leg.close();
    throw error;
  }
}

/**
 * Open a websocket of a ticket's URL.
 * @type {(url: string, options: ConnectOptions) => Promise<Leg>}
 */
function reach(url, { signal, WebSocket = globalThis.WebSocket }) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    if (!WebSocket) throw new TypeError('there is no WebSocket here: Node 22 has one, or pass a class as `WebSocket`');
    let socket;
    try {
      socket = new WebSocket(url, [WATCHED, PROTOCOL]);
    } catch {
      // its message has the URL
      throw unopened('this page may open no websocket to such a URL', false);
    }
    socket.binaryType = 'arraybuffer';
    let settled = false;
    const settle = (act, value) => {
      if (settled) return; // these events come in the stream's life, too
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
      if (act === reject) socket.close();
      act(value);
    };
    const [relay] = /^wss?:\/\/[^/@]+(?=\/)/i.exec(String(url)) ?? ['']; // what follows is a token
    const unreached = `the relay${relay && ` ${relay}`} can't be reached, or doesn't let this client in; its log says why`;
    const failed = () => settle(reject, unopened(unreached, true));
    const aborted = () => settle(reject, signal?.reason);
    const timer = setTimeout(failed, PATIENCE);
    signal?.addEventListener('abort', aborted);
    socket.addEventListener('error', failed);
    socket.addEventListener('close', failed);
    socket.addEventListener('open', () => {
      if ([WATCHED, PROTOCOL].includes(socket.protocol)) settle(resolve, new Leg(socket));
      else settle(reject, unopened('the server is not a streamrelay relay (no subprotocol streamrelay.v1)', false));
    });
  });
}

/** One websocket of a stream, and whether its link lives. What comes before somebody listens waits. */
class Leg {
  #socket;
  /** @type {Link | null} */
  #link = null; // where the relay answers
  /** @type {(() => void)[] | null} */
  #early = [];
  #heard = (_data) => {};
  #ended = (_code, _reason) => {};

  constructor(socket) {
    this.#socket = socket;
    if (socket.protocol === WATCHED)
      this.#link = new Link(
        (ping) => this.send(ping),
        () => this.#broke(),
      );
    socket.addEventListener('message', ({ data }) => {
      this.#link?.heard();
      this.#tell(() => this.#heard(data));
    });
    socket.addEventListener('close', ({ code, reason }) => this.#over(code, reason));
  }

  /** `heard(data)` is told what comes, `ended(code, reason)` that nothing more does. */
  listen(heard, ended) {
    [this.#heard, this.#ended] = [heard, ended];
    const early = this.#early ?? [];
    this.#early = null;
    for (const told of early) told();
  }

  /** Bytes that the websocket holds unsent. */
  get unsent() {
    return this.#socket.bufferedAmount;
  }

  /** What is sent while the other end closes is lost in any case; browsers complain of it. */
  send(message) {
    if (this.#socket.readyState !== 1) return;
    this.#socket.send(message);
    this.#link?.sent(message.length);
  }

  /** A number is the relay's answer to us; whether it was. */
  answered(pong) {
    if (!this.#link || !Number.isInteger(pong)) return false;
    this.#link.answered(pong);
    return true;
  }

  /** The agent has said something. */
  met() {
    this.#link?.met();
  }

  /** It matters, though nobody sees the page, whether this link lives. */
  matter() {
    this.#link?.matter();
  }

  /** Close it; nobody is told anything of it any more. Pages may say few codes. */
  close(code = 1000) {
    this.leave();
    this.#socket.close(code === 1000 || (code >= 3000 && code < 5000) ? code : 1000);
  }

  leave() {
    this.#link?.leave();
    this.listen(
      () => {},
      () => {},
    );
  }

  #tell(told) {
    if (this.#early) this.#early.push(told);
    else told();
  }

  /** The link is dead, though nobody has closed it. What has come can still be read. */
  #broke() {
    if (this.#socket.terminate) this.#socket.terminate();
    else this.#socket.close(); // browsers, and Node's own, can't cut it
    this.#over(1006, SILENT);
  }

  #over(code, reason) {
    this.#link?.leave();
    this.#tell(() => {
      const ended = this.#ended;
      this.#heard = this.#ended = () => {};
      ended(code, reason);
    });
  }
}

/**
 * A stream that is open; `open` and `connect` make them. Events of one that resumes: `detached`, as its leg is lost and
 * another one asked for, and `attached`. Of one of a kept terminal: `people` and `size`, as these are others.
 */
export class Stream extends EventTarget {
  /** Bytes and strings (as UTF-8) for the target; closing it is the end of file. */
  writable;
  /** How it ended, once it has; never rejects. */
  closed;
  /** @type {{ place: string, after: number } | null} Where a log stands: behind so many bytes after that place. */
  place = null;
  /** @type {Person[] | null} Who is attached to a kept terminal, ourselves among them; null: nobody has said. */
  people = null;
  /** People beside those, of whom no more is said. */
  others = 0;
  /** @type {[number, number] | null} The size that a kept terminal has for somebody else: columns and rows. */
  size = null;

  /** @type {Ticket | null} */
  #ticket = null;
  /** @type {Leg} */
  #leg; // the only one, unless it resumes
  /** @type {Resumption | null} */
  #resumption;
  #signal;
  #queue = new Queue(); // what has come and wasn't read: bytes and control messages
  #waiting = 0; // bytes in there
  /** @type {(value?: any) => void} */
  #wake = () => {}; // somebody who waits for more
  #eof = false; // the agent has no more bytes
  #finished = false; // we have none
  #exit = undefined;
  /** @type {Outcome | null} */
  #result = null;
  /** @type {any} */
  #error = null; // why the reader gets no more, unless in order
  #settle;
  #sink;
  #taken = ''; // "readable" or "items": only one of them can be read
  /** @type {ReadableStream | null} */
  #source = null;
  #unsaid = {}; // control messages that wait for their turn
  #holding = false; // as we want it
  #held = false; // as the agent was told
  #pace = 0;

  constructor(leg, signal, resumption) {
    super();
    this.#leg = leg;
    this.#resumption = resumption;
    this.#signal = signal;
    this.closed = new Promise((settle) => {
      this.#settle = settle;
    });
    this.writable = new WritableStream({
      start: (sink) => {
        this.#sink = sink;
      },
      write: (chunk) => this.#write(chunk),
      close: () => this.#finish(),
      abort: () => this.close(),
    });
    signal?.addEventListener('abort', this.#abort);
    resumption?.begin(leg, {
      listen: (next) => {
        next.matter();
        this.#listen(next);
      },
      over: (code, reason, how) => this.#over(code, reason, how),
      plain: () => this.#plain(),
      changed: (name) => this.#changed(name),
      words: (code, reason) => failure(outcome(code, reason)).message,
    });
    this.#listen(leg);
    if (signal?.aborted) this.#abort();
  }

  /** Null after `connect(url)`. */
  get ticket() {
    return this.#ticket;
  }

  /** Told once the platform has said it all. */
  set ticket(ticket) {
    this.#ticket = ticket;
    if (this.#resumption && ticket?.resume) this.#leg.matter();
    this.#resumption?.decide(ticket ?? { stream: '', resume: 0, view: false });
  }

  /** While a stream that resumes has no leg: since when, and until when one is asked for, in ms since the epoch, and why. */
  get detached() {
    return this.#resumption?.detached ?? null;
  }

  /** Bytes, and messages, that were written to a stream that resumes and that its host hasn't confirmed. */
  get unconfirmed() {
    return this.#resumption?.unconfirmed ?? 0;
  }

  /** Ask for a leg at once, if there is none. */
  hurry() {
    if (this.detached) this.#resumption?.hurry();
  }

  /** The stream's bytes. It fails with an error that has an `outcome` if the stream breaks off. */
  get readable() {
    return this.#read('readable');
  }

  /** The bytes, and the control messages between them. Either this or `readable` can be read. */
  get items() {
    return this.#read('items');
  }

  /** Tell the terminal's size (pty): integers from 1 to 10000. Only the last one of many in a row is sent. */
  resize(columns, rows) {
    if (!isSize(columns) || !isSize(rows)) throw new RangeError('columns and rows are integers from 1 to 10000');
    this.#unsaid.resize = [columns, rows];
    this.#speak();
  }

  /** Leave the stream: nothing more is read or sent, but for what was written. */
  close() {
    const result = outcome(1000, '', this.#exit);
    this.#leave(this.#eof ? result : { ...result, words: 'closed here' }, null);
  }

  #abort = () => this.#leave({ ...outcome(1000, '', this.#exit), words: 'aborted', clean: false }, this.#signal.reason);

  #leave(result, error, code = 1000) {
    if (this.#result) return;
    this.#queue = new Queue();
    this.#eof = false;
    this.#end(result, error);
    if (this.#resumption) this.#resumption.end(code, code === 1000 ? '' : result.reason);
    else this.#leg.close();
  }

  #end(result, error = result.clean ? null : failure(result)) {
    if (this.#result) return;
    this.#result = result;
    this.#error = error;
    clearTimeout(this.#pace);
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#sink.error(error ?? failure(result));
    this.#wake();
    this.#settle(result);
  }

  /** A stream that resumes is over. One that had ended before may not be opened anew by itself: it has done its work. */
  #over(code, reason, { exit = this.#exit, final = false }) {
    const result = outcome(code, reason, exit);
    this.#end(final ? { ...result, transient: false } : result);
  }

  /** It doesn't resume, as its host doesn't hold it. */
  #plain() {
    this.#resumption = null;
    this.#balance();
  }

  #changed(name) {
    if (this.#result) return;
    if (name === 'attached') this.#speak();
    this.dispatchEvent(new Event(name));
  }

  // -- what comes in

  #listen(leg) {
    leg.listen(
      (data) => this.#received(data, leg),
      (code, reason) => {
        if (this.#resumption) this.#resumption.lost(code, reason);
        else this.#end(outcome(code, reason, this.#exit));
      },
    );
  }

  #received(data, leg) {
    if (typeof data !== 'string') this.#push(new Uint8Array(data), data.byteLength, leg);
    else if (data.length <= CONTROL) this.#control(data, leg);
    else this.#giveUp(1009, 'a control message of the other end is too long');
    if (this.#waiting > MOST) this.#giveUp(1013, `more than ${MOST >> 20} MiB wait, and the agent does not hold`);
  }

  #control(text, leg) {
    const control = parsedObject(text);
    if (leg.answered(control?.pong)) return;
    if (Number.isInteger(control?.exit)) this.#exit = control.exit;
    this.#push(control, text.length, leg);
  }

  /** Keep an item for the reader; some are for nobody, but have a position. */
  #push(item, length, leg) {
    const resumes = this.#resumption !== null;
    const position = this.#resumption?.came(item) ?? 0;
    if (this.#result) return;
    leg.met();
    const eof = item?.[resumes ? 'fin' : 'eof'] === true;
    const kept = eof || (resumes && item?.ack !== undefined) ? null : item;
    const size = kept ? length + OVERHEAD : 0;
    this.#queue.push([kept, size, position]);
    this.#waiting += size;
    this.#eof ||= eof;
    this.#wake();
    this.#balance();
    this.#endBoth();
  }

  #giveUp(code, reason) {
    const result = outcome(code, reason);
    this.#leave(result, failure(result), code);
  }

  #read(as) {
    if (this.#taken && this.#taken !== as) throw new TypeError('only one of readable and items can be read');
    this.#taken = as;
    // No bytes are read ahead, so that `place` is that of what the reader has.
    this.#source ??= new ReadableStream(
      { pull: (reader) => this.#pull(reader), cancel: () => this.close() },
      { highWaterMark: 0 },
    );
    return this.#source;
  }

  async #pull(reader) {
    for (;;) {
      if (!this.#queue.length && (this.#eof || this.#result)) {
        if (this.#error && !this.#eof) throw this.#error;
        return reader.close();
      }
      const item = this.#shift();
      if (item && (this.#taken === 'items' || item instanceof Uint8Array)) return reader.enqueue(item);
      if (item === undefined)
        await new Promise((wake) => {
          this.#wake = wake;
        });
    }
  }

  #shift() {
    const [item, size, position] = this.#queue.shift() ?? [undefined, 0, 0];
    this.#waiting -= size;
    this.#balance();
    this.#resumption?.took(position);
    if (typeof item?.place === 'string' && item.place) this.place = { place: item.place, after: 0 };
    else if (item instanceof Uint8Array && this.place) {
      this.place = { ...this.place, after: this.place.after + item.byteLength };
    }
    if (item && !(item instanceof Uint8Array)) this.#told(item);
    return item;
  }

  /** Keep what is said of a kept terminal, from the very place in the stream where it is said. */
  #told({ people, others, size }) {
    const known = peopleOf(people);
    if (known) {
      this.people = known;
      this.others = Number.isSafeInteger(others) && others > 0 ? others : 0;
      this.dispatchEvent(new Event('people'));
    }
    if (Array.isArray(size) && size.length === 2 && size.every(isSize)) {
      this.size = [size[0], size[1]];
      this.dispatchEvent(new Event('size'));
    }
  }

  /** Ask the agent to hold, or to go on; one whose stream resumes sees it by what is confirmed. */
  #balance() {
    const full = this.#waiting > (this.#holding ? LOW : HIGH);
    if (full === this.#holding || this.#resumption) return;
    this.#holding = full;
    this.#speak();
  }

  // -- what goes out

  /** Say what is to be said, at once or when it is our turn; by then it may have become void. */
  #speak = () => {
    if (this.#pace || this.#result || this.detached) return;
    const message = this.#unsaid;
    if (this.#holding !== this.#held) message.hold = this.#held = this.#holding;
    if (!Object.keys(message).length) return;
    this.#unsaid = {};
    for (const [name, value] of Object.entries(message)) this.#put(JSON.stringify({ [name]: value }));
    this.#pace = setTimeout(() => {
      this.#pace = 0;
      this.#speak();
    }, PACE);
  };

  async #write(chunk) {
    const bytes = typeof chunk === 'string' ? new TextEncoder().encode(chunk) : view(chunk);
    for (let begin = 0; begin < bytes.byteLength; begin += CHUNK) {
      const piece = bytes.subarray(begin, begin + CHUNK);
      await this.#room(piece.byteLength);
      this.#put(piece);
    }
  }

  #put(message) {
    if (this.#resumption) this.#resumption.say(message);
    else this.#leg.send(message);
  }

  /** There is nothing more to write. */
  #finish() {
    this.#finished = true;
    this.#put(this.#resumption ? '{"fin":true}' : '{"eof":true}');
    this.#endBoth();
  }

  /** The end, once both directions have ended; of a stream that doesn't resume the relay says it. */
  #endBoth() {
    if (this.#eof && this.#finished) this.#resumption?.end(1000);
  }

  /** Wait until a write of so many bytes has room. */
  async #room(size) {
    if (this.#resumption) await this.#resumption.room(size);
    else await this.#drained();
    if (this.#result) throw this.#error ?? failure(this.#result);
  }

  /** Wait until the websocket holds little. Browsers say nothing when that comes, so we look. */
  async #drained() {
    for (let wait = 1; this.#leg.unsent > UNSENT && !this.#result; wait = Math.min(2 * wait, POLL)) {
      await new Promise((awake) => setTimeout(awake, wait));
    }
  }
}

/**
 * Whether a stream's link lives. A page sees no pings, so it asks the relay: where nothing has come for a while, and at
 * once where the network may be another one. A link over which something comes is never asked. Nor is one of a page that
 * nobody sees, whose timers come late, unless its stream resumes: its host doesn't hold it for ever. (protocol.rst,
 * "Liveness")
 */
class Link {
  #ask;
  #dead;
  #quiet = 0; // looks since something came
  #waited = -1; // looks since it was asked, or since something came after that; -1: it isn't
  #urgent = false; // only the answer will do, as what else comes may have been under way
  #number = 0; // of the last ping
  #sent = 0; // bytes since the last look
  #patient = PATIENT; // looks in which an answer may take longer
  #met = false; // the agent has said something
  #matters = false; // whoever sees the page

  /** `ask(ping)` sends a control message, `dead()` is told once that there is no answer. */
  constructor(ask, dead) {
    this.#ask = ask;
    this.#dead = dead;
    links.add(this);
    lookOut();
  }

  leave() {
    links.delete(this);
    lookOut();
  }

  /** It is asked though nobody sees the page. */
  matter() {
    this.#matters = true;
    lookOut();
  }

  get looked() {
    return this.#matters || !unseen();
  }

  heard() {
    this.#quiet = 0;
    if (this.#waited > 0) this.#waited = this.#urgent ? 0 : -1;
  }

  /** The agent has said something, so the leg doesn't wait any more, in which it isn't read. */
  met() {
    if (!this.#met) this.#patient = 0;
    this.#met = true;
  }

  /** A pong; 0: nobody has asked, but the answer of who does may have to wait, and then the relay says so every 5 s. */
  answered(number) {
    if (number === 0) this.#patient = PATIENT;
    if (number !== this.#number || number === 0) return;
    this.#waited = -1;
    this.#urgent = false;
    this.#patient = 0;
  }

  sent(size) {
    this.#sent += size;
  }

  /** Ask now: nobody has looked, or there was no network. */
  wake() {
    this.#urgent = true;
    if (this.#waited !== 0) this.#askNow();
  }

  /** So many seconds, or looks, have passed. */
  look(count) {
    this.#quiet += count;
    this.#patient = this.#sent > AHEAD ? PATIENT : Math.max(0, this.#patient - count);
    this.#sent = 0;
    if (this.#waited >= 0) this.#waited += count;
    else if (this.#quiet >= QUIET) this.#askNow();
    if (this.#waited >= ANSWER && (!this.#patient || this.#quiet >= QUIET + ANSWER)) this.#dead();
  }

  #askNow() {
    this.#waited = 0;
    this.#number += 1;
    this.#ask(`{"ping":${this.#number}}`);
  }
}

/** @type {Set<Link>} */
const links = new Set(); // of this page, or program: one timer looks at all of them
/** @type {Set<() => void>} */
const sleepers = new Set(); // to be called when there may be a network again
/** Who waits for a network. */
const waking = {
  add(sleeper) {
    sleepers.add(sleeper);
    lookOut();
  },
  delete(sleeper) {
    if (sleepers.delete(sleeper)) lookOut();
  },
};
let looks = 0; // the timer
let looked = 0; // when it did so
let listens = false;

const unseen = () => globalThis.document?.visibilityState === 'hidden';

/** Look at the links while there are any that are looked at. */
function lookOut() {
  if (!listens) {
    listens = true;
    globalThis.addEventListener?.('online', wake);
    globalThis.addEventListener?.('offline', askAll); // of some networks alone, and the relay may be by another one
    globalThis.addEventListener?.('pageshow', (event) => event.persisted && wake(event));
    globalThis.document?.addEventListener('visibilitychange', wake);
    globalThis.document?.addEventListener('resume', wake); // Chromium had frozen the page
  }
  const wanted = [...links].some((link) => link.looked) || (sleepers.size > 0 && !unseen());
  if (wanted === Boolean(looks)) return;
  if (wanted) {
    looked = Date.now();
    looks = setInterval(look, LOOK);
  } else {
    clearInterval(looks);
    looks = 0;
  }
}

/** Timers of a page that nobody sees come once in a minute; what comes by a link comes at once. */
function look() {
  const now = Date.now();
  const late = now - looked > LATE || now < looked;
  const seconds = late && unseen() ? Math.max(1, Math.floor((now - looked) / 1000)) : 1;
  looked = now;
  if (late && !unseen()) wake(null);
  for (const link of links) if (link.looked) link.look(seconds);
}

function askAll() {
  for (const link of links) if (link.looked) link.wake();
}

function wake(event) {
  lookOut();
  looked = Date.now();
  if (!unseen() || event?.type !== 'visibilitychange') askAll();
  if (!unseen() || event?.type === 'online') for (const sleeper of [...sleepers]) sleeper();
}

/** First in, first out. An array's own `shift` moves all that are left: with 100,000 of them a page stands still. */
class Queue {
  #items = [];
  #first = 0;

  get length() {
    return this.#items.length - this.#first;
  }

  push(item) {
    this.#items.push(item);
  }

  shift() {
    if (!this.length) return undefined;
    const item = this.#items[this.#first];
    this.#items[this.#first] = undefined;
    this.#first += 1;
    if (this.#first > 1000 && this.#first * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }
}

function view(chunk) {
  if (chunk instanceof Uint8Array) return chunk;
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw new TypeError('only bytes and strings can be written');
}
