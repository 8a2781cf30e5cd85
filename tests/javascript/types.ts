// What a program in TypeScript may write, and what it may not; `tsc` looks at it, nothing runs it.

import {
  ask,
  type Bytes,
  type Control,
  connect,
  endTerminal,
  type KeptTerminal,
  type LogSource,
  type Outcome,
  open,
  outcome,
  type Person,
  Refused,
  type Resume,
  type Stream,
  type StreamError,
  type Ticket,
  terminals,
} from '../../streamrelay/web/streamrelay.js';

const stopping = new AbortController();
const stream: Stream = await open({
  host: 'web-1',
  target: 'log',
  view: true,
  place: 'x',
  after: 3,
  platform: 'https://platform.example',
  key: 'srk_…',
  csrf: '',
  signal: stopping.signal,
  fetch,
  WebSocket,
});
const ticket: Ticket = await ask({ host: 'web-1', target: 'log' });
const other = await connect(ticket.url, { signal: stopping.signal, WebSocket, ticket });
const viewers: [string, number, boolean] = [ticket.viewer, ticket.links, ticket.view];

for await (const bytes of stream.readable) new TextDecoder().decode(bytes);
for await (const item of other.items) {
  if (item instanceof Uint8Array) item.byteLength;
  else {
    const control: Control = item;
    const { exit, place, encoding, skipped, nuls, lost, note } = control;
    const _said: [number?, number?, number?, boolean?] = [exit, skipped, nuls, lost];
    const _words: [string?, string?, string?] = [place, encoding, note];
  }
}
await stream.readable.pipeThrough(new TextDecoderStream()).pipeTo(other.writable);
const parts: Bytes[] = [];
for await (const bytes of stream.readable) {
  parts.push(bytes);
  await crypto.subtle.digest('SHA-256', bytes);
}
const _whole: number = new Blob(parts).size;
const writer = stream.writable.getWriter();
await writer.write('text');
await writer.write(new Uint8Array(3));
stream.resize(80, 24);
stream.close();

const kept = await open({ host: 'web-1', target: 'shell', resume: true });
kept.addEventListener('detached', () => `until ${kept.detached?.until}, ${kept.unconfirmed} bytes wait`);
kept.addEventListener('tried', () => kept.detached?.why.length);
kept.addEventListener('attached', () => kept.detached === null);
kept.hurry();
const again: Resume = ({ stream: id, received, try: number, signal }) => {
  signal.throwIfAborted();
  return Promise.resolve({ url: `wss://relay.example/${id}/${number}`, received, resume: ticket.resume });
};
await connect(ticket.url, { ticket, resume: again });
await connect(ticket.url, { ticket, resume: { host: 'web-1', target: 'shell' } });

const [first]: KeptTerminal[] = await terminals({ host: 'web-1', key: 'srk_…', signal: stopping.signal });
const { terminal, target, user, seconds, detached, people, size } = first;
const _about: [string, number, number?] = [`${target} of ${user}, ${people.length}`, seconds + size[0], detached];
const shared = await open({ host: 'web-1', target, terminal, resume: true });
const attached: string = shared.ticket?.terminal ?? '';
shared.addEventListener('people', () => shared.people?.map(({ user, view }: Person) => (view ? '' : user)));
shared.addEventListener('size', () => shared.size?.map((cells) => cells + 1));
await endTerminal({ host: 'web-1', terminal: attached });

const end: Outcome = await stream.closed;
const words: string = end.clean ? '' : end.words + end.reason + end.code;
const status: number | undefined = outcome(1000, '', 3).exit;
const where = stream.place;
if (where) await open({ host: 'web-1', target: 'log', ...where });

const log = document.createElement('stream-log');
const source: LogSource = log.source('web-1');
log.sources = [{ name: 'web-1', src: ticket.url }];
const left: Outcome = await source.follow(stream);
source.tell(`${left.words} ${source.count + source.dropped}`);
log.level('warn');

try {
  await open({ host: 'web-1', target: 'log' });
} catch (error) {
  if (error instanceof Refused) [error.status, error.code, error.message, error.retryAfter, error.transient];
  else (error as StreamError).outcome.words;
}

// @ts-expect-error: a target is missing
await open({ host: 'web-1' });
// @ts-expect-error: which one is to be ended
await endTerminal({ host: 'web-1' });
// @ts-expect-error: numbers are no bytes
await writer.write(3);
// @ts-expect-error: streams are opened, not made
new (stream.constructor as typeof Stream)();
// @ts-expect-error: only read
stream.place = null;
// @ts-expect-error: a source has a name and a URL
log.sources = ['web-1'];
// @ts-expect-error: no such thing
stream.url;

export { status, viewers, words };
