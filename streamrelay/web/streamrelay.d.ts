/** The client of streamrelay, for pages and for Node 22 or newer (docs/javascript.rst). */

/** The platform's no; its message is the reason in words. */
export class Refused extends Error {
  constructor(status: number, code: string, detail: string, retryAfter?: number);
  /** HTTP's; 0 if the platform can't be reached. */
  readonly status: number;
  /** A word for programs: `host_offline`, `not_granted` … (protocol.rst, "Errors"). */
  readonly code: string;
  /** Seconds, where the platform has said so; else 0. */
  readonly retryAfter: number;
  /** Worth another try. */
  readonly transient: boolean;
  /** How a stream that is to be resumed had ended before, if its host remembers. */
  readonly ended: { code: number; reason: string; exit?: number } | null;
}

/** How a stream ended. */
export interface Outcome {
  /** The close code (protocol.rst, "Close codes"); 1006 if the connection broke without one. */
  code: number;
  /** What the other end said, one line; may be empty. */
  reason: string;
  /** What the code means. */
  words: string;
  /** In order: every byte was delivered. */
  clean: boolean;
  /** Worth another try. */
  transient: boolean;
  /** The command's exit status, of targets that have one. */
  exit?: number;
}

/** The error of a stream that couldn't be opened, or broke off. */
export interface StreamError extends Error {
  outcome: Outcome;
}

/** A stream whose agent waits at the relay. */
export interface Ticket {
  /** Its id; not secret. */
  stream: string;
  /** The websocket's: a secret, good once until `expires`. */
  url: string;
  kind: string;
  /** What shows it: `terminal`, `log`, `vnc`, `spice` or `raw`. */
  viewer: string;
  /** Websockets that may be opened by the URL. */
  links: number;
  /** View only: what is sent is dropped. */
  view: boolean;
  /** Seconds since the epoch. */
  expires: number;
  /** Connections that it carries at once as channels (protocol.rst, "Channels"); 0: it is one connection. */
  channels: number;
  /** Seconds for which the host holds the stream while it has no leg; 0: it doesn't resume. */
  resume: number;
  /** The kept terminal that it is attached to, for `Wanted.terminal`; not secret. Empty: the program ends with the stream. */
  terminal: string;
}

/** Somebody who is attached to a kept terminal. */
export interface Person {
  user: string;
  /** No more than looking. */
  view: boolean;
}

/** A terminal that its host keeps, be somebody attached or not (docs/javascript.rst, "Kept terminals"). */
export interface KeptTerminal {
  /** Its id. */
  terminal: string;
  host: string;
  target: string;
  /** Who started it. */
  user: string;
  /** For how long it has run. */
  seconds: number;
  /** For how long nobody has been attached; absent while somebody is. */
  detached?: number;
  /** Who is attached, and by which stream. */
  people: (Person & { stream?: string })[];
  /** Columns and rows. */
  size: [number, number];
}

// biome-ignore lint/suspicious/noExplicitAny: classes of other programs have types of their own
type WebSocketClass = new (url: string, protocols: string[]) => any;

/** Whose platform is asked, and about which host. */
export interface OfHost {
  host: string;
  /** The platform's URL; default: the page's own origin. */
  platform?: string;
  /** A key, or a JWT of the platform's issuer; without one, the console's session counts. */
  key?: string;
  /** Of the console's session. */
  csrf?: string;
  /** Ends the asking; of a stream the opening and the stream, too. */
  signal?: AbortSignal;
  fetch?: typeof fetch;
}

export interface Wanted extends OfHost {
  target: string;
  /** The kept terminal to attach to; without it one that the target keeps is a new one. */
  terminal?: string;
  /** No more than to look. */
  view?: boolean;
  /** Of a log: go on `after` bytes behind this place (see `Stream.place`). */
  place?: string;
  after?: number;
  /** Of a log that doesn't go on at a place: begin with so many of its last lines, 0 to 100000; the target's settings say
   * how many it gives at most. Default: as many as those say. */
  lines?: number;
  /** Carry several connections to the target, if the host can: then the bytes are frames (protocol.rst, "Channels"). */
  channels?: boolean;
  /** Go by a relay of this zone, if there is one; default: of the host's zone. */
  zone?: string;
  /** Outlive lost connections, if the host can (docs/javascript.rst, "Streams that resume"). */
  resume?: boolean;
  /** A class to use in place of the global one. */
  WebSocket?: WebSocketClass;
}

/**
 * Asks for new legs of a stream, as by `POST /v1/streams/<id>/resume`: the body's `received` and `try`, of the answer
 * `url`, `received` and `resume`. Rejects with `Refused`, whose status says whether it is asked again.
 */
export type Resume = (position: {
  stream: string;
  received: number;
  try: number;
  view: boolean;
  signal: AbortSignal;
  /** May be told where the leg will be, before the host has answered: it is opened meanwhile. */
  early: (url: string) => void;
}) => Promise<{ url: string; received: number; resume: number }>;

export interface ConnectOptions {
  signal?: AbortSignal;
  WebSocket?: WebSocketClass;
  ticket?: Ticket | null;
  /** Of a ticket of a stream that resumes: who asks for its next legs, or by what this client does. */
  resume?: Wanted | Resume;
}

/** A control message of the agent; there may be other keys. */
export interface Control {
  /** What comes after this comes after this place of the log. */
  place?: string;
  /** Of what comes after this place, if it isn't UTF-8: a label of TextDecoder. */
  encoding?: string;
  /** The place that was asked for is gone: lines may be missing. */
  lost?: boolean;
  /** So many lines were left out here. */
  skipped?: number;
  /** So many NUL bytes, which say nothing, were left out here. */
  nuls?: number;
  /** Words about the log for who reads it, as why nothing comes. */
  note?: string;
  /** The command has ended. */
  exit?: number;
  /** Who is attached to a kept terminal from here on. */
  people?: Person[];
  /** How many more people there are, for whom there was no room. */
  others?: number;
  /** The columns and rows for which a kept terminal is drawn from here on, as somebody else has this size. */
  size?: [number, number];
  [key: string]: unknown;
}

/** One of several logs in a `<stream-log>` (docs/javascript.rst). */
export interface LogSource {
  /** By which its lines are called. */
  name: string;
  /** How it stands; empty while lines may come. */
  readonly words: string;
  /** Lines of it that are kept, and those that were dropped as the log has too many. */
  readonly count: number;
  readonly dropped: number;
  /** For `open`, to go on where it stands. */
  readonly place: { place: string; after: number } | null;
  /** Show a stream, behind those before; gives its outcome once all of it has been taken. */
  follow(stream: Stream): Promise<Outcome>;
  /** Say how it stands. */
  tell(words: string): void;
  close(): void;
}

/** What stream-log.js defines as `<stream-log>`, of what concerns streams. */
export interface StreamLogElement extends HTMLElement {
  /** Several logs in one, each by a ticket's URL. */
  sources: { name: string; src: string }[];
  /** One of several, made when it is first asked for. */
  source(name: string): LogSource;
  /** Leave one for good; its lines stay. */
  leave(name: string): void;
  readonly place: { place: string; after: number } | null;
  readonly count: number;
  following: boolean;
  follow(stream: Stream): Promise<Outcome>;
  close(): void;
  clear(): void;
  forget(): void;
  search(text: string): void;
  filter(text: string): void;
  level(name: '' | 'debug' | 'info' | 'warn' | 'error'): void;
  copy(): Promise<void>;
  download(name?: string): Promise<void>;
}

declare global {
  interface HTMLElementTagNameMap {
    'stream-log': StreamLogElement;
  }
}

export function outcome(code: number, reason?: string, exit?: number): Outcome;

/** Ask for a stream without opening it; rejects with `Refused`, or the signal's reason. */
export function ask(wanted: Wanted): Promise<Ticket>;

/** The terminals that a host keeps and that this user may attach to; rejects with `Refused`, or the signal's reason. */
export function terminals(wanted: OfHost): Promise<KeptTerminal[]>;

/** End a kept terminal: its program, and all streams of it; rejects with `Refused`, or the signal's reason. */
export function endTerminal(wanted: OfHost & { terminal: string }): Promise<void>;

/** Ask, then connect; rejects with `Refused`, a `StreamError`, or the signal's reason. */
export function open(wanted: Wanted): Promise<Stream>;

/** Open the stream of a ticket's URL; rejects with a `StreamError`, or the signal's reason. */
export function connect(url: string, options?: ConnectOptions): Promise<Stream>;

/** Bytes of a stream, in a buffer of their own: `Uint8Array<ArrayBuffer>` where TypeScript tells it from others (5.7 and later). */
export type Bytes = ReturnType<Uint8ArrayConstructor['of']>;

/** Events of one that resumes: `detached`, as its leg is lost and another one asked for, `tried`, as that fails for another
 * reason than what was said before, and `attached`. Of one of a kept terminal: `people` and `size`, as these are others, in
 * order with what is read. */
export class Stream extends EventTarget {
  private constructor();
  readonly ticket: Ticket | null;
  /** The bytes; fails with a `StreamError` if the stream breaks off. Cancelling it closes the stream. */
  readonly readable: ReadableStream<Bytes>;
  /** Bytes and control messages in their order. Only one of `readable` and `items` can be used. */
  readonly items: ReadableStream<Bytes | Control>;
  /** For the target; strings become UTF-8. Closing it is the end of file, aborting it closes the stream. */
  readonly writable: WritableStream<Uint8Array | string>;
  /** Never rejects. */
  readonly closed: Promise<Outcome>;
  /** Where a log stands: behind so many bytes after that place, all of them handed out to the reader. */
  readonly place: { place: string; after: number } | null;
  /** Who is attached to a kept terminal, ourselves among them, as far as has been read; null: nobody has said. */
  readonly people: Person[] | null;
  /** People beside those, of whom no more is said. */
  readonly others: number;
  /** The columns and rows for which a kept terminal is drawn, if it is somebody else's size that counts; null: never said. */
  readonly size: [number, number] | null;
  /** The terminal's size, integers from 1 to 10000; sent at most 4 times a second, the last one counts. */
  resize(columns: number, rows: number): void;
  /** While a stream that resumes has no leg: since when, and until when one is asked for, in ms since the epoch; and why there
   * is none, in words for users: how the leg was lost, then what the last try failed of. */
  readonly detached: { since: number; until: number; why: string } | null;
  /** Bytes, and messages, that were written to a stream that resumes, and that its host hasn't confirmed. */
  readonly unconfirmed: number;
  /** Ask for a leg now, if there is none, as there is reason to believe that it will be given. */
  hurry(): void;
  /** Leave the stream. */
  close(): void;
}
