// What the console's viewers open their streams by: tests/web/test_javascript_promises.py runs each of these.

import assert from 'node:assert/strict';

import { Source } from '../../streamrelay/web/console/source.js';
import { failure, Relay } from './fakes.mjs';

const TICKET = { stream: 's', url: 'ws://relay/client/t', kind: 'pty', viewer: 'terminal', links: 1, view: false };

/** A source whose platform tells every ticket early; `taken` are what each request said that it takes. */
function source() {
  const taken = [];
  const lines = `${JSON.stringify({ url: TICKET.url })}\n${JSON.stringify(TICKET)}\n`;
  Object.assign(globalThis, { document: { baseURI: 'http://platform.example/' }, WebSocket: Relay });
  globalThis.fetch = (_url, { headers }) => {
    taken.push(headers.Accept.includes('ndjson'));
    return Promise.resolve(taken.at(-1) ? new Response(lines) : Response.json(TICKET, { status: 201 }));
  };
  Relay.last = null;
  return { source: new Source({ csrf: 'c', user: 'ann' }, { host: 'h', target: 'shell' }), taken };
}

async function first(from, likely) {
  const telling = from.first(likely);
  await new Promise((later) => setTimeout(later, 5));
  Relay.last?.tell('open');
  return telling;
}

/** The first stream of a viewer that is likely is open before the viewer is there, which then gets it; the next is new. */
export async function source_opens_the_first() {
  const { source: from, taken } = source();
  assert.equal((await first(from, 'terminal')).viewer, 'terminal');
  const near = Relay.last;
  const stream = await from.open({ view: false });
  assert.deepEqual([stream.ticket.stream, Relay.last, taken, near.closed], ['s', near, [true], []]);
  const next = from.open();
  await new Promise((later) => setTimeout(later, 5));
  assert.notEqual(Relay.last, near);
  Relay.last.tell('open');
  await next;
}

/** Where no viewer is likely there is a ticket alone. */
export async function source_asks_first() {
  const { source: from, taken } = source();
  await first(from);
  assert.deepEqual([Relay.last, taken], [null, [false]]);
  assert.equal((await from.ask()).stream, 's');
  assert.deepEqual(taken, [false]);
}

/** A stream that carries channels isn't taken for one that doesn't, nor the other way: what waits for nobody is left. */
export async function source_leaves_what_does_not_fit() {
  const { source: from, taken } = source();
  await first(from);
  const opening = from.open({ channels: true });
  const unfit = Relay.last;
  await new Promise((later) => setTimeout(later, 5));
  const near = Relay.last;
  for (const relay of [unfit, near]) relay.tell('open');
  await opening;
  assert.deepEqual([taken, unfit.closed.length, near.closed.length], [[false, true], 1, 0]);
}

/** A stream resumes by the session that there is by then: somebody may have signed in again meanwhile. */
export async function source_resumes_by_the_session_of_then() {
  const bodies = [];
  const ticket = { ...TICKET, resume: 120 };
  Object.assign(globalThis, { document: Object.assign(new EventTarget(), { baseURI: 'http://platform.example/' }) });
  globalThis.WebSocket = Relay;
  globalThis.fetch = (url, { headers, body }) => {
    bodies.push([new URL(url).pathname, headers['X-CSRF-Token'], JSON.parse(body).resume]);
    const [status, answer] = bodies.length === 1 ? [201, ticket] : [410, { code: 'stream_over', detail: 'over' }];
    return Promise.resolve(Response.json(answer, { status }));
  };
  const session = { csrf: 'first' };
  const from = new Source(session, { host: 'h', target: 'shell' });
  await from.first();
  const opening = from.open();
  await new Promise((later) => setTimeout(later, 5));
  Relay.last.tell('open');
  const stream = await opening;
  session.csrf = 'second';
  Relay.last.tell('close', { code: 1012, reason: '' });
  assert.equal((await stream.closed).code, 4005);
  assert.deepEqual(bodies, [
    ['/v1/streams', 'first', true],
    ['/v1/streams/s/resume', 'second', undefined],
  ]);
}

/** A first stream that isn't what is wanted in the end, or by nobody any more, is closed. */
export async function source_leaves_the_first() {
  for (const how of ['ask', 'place', 'leave']) {
    const { source: from } = source();
    await first(from, 'log');
    const near = Relay.last;
    if (how === 'leave') from.leave();
    else if (how === 'ask') await from.ask();
    else from.open({ place: 'p' }).catch(() => {});
    await new Promise((later) => setTimeout(later, 5));
    assert.equal(near.closed.length, 1, how);
    Relay.last.tell('open'); // or Node would wait for its patience
  }
}

/** The next stream attaches to the terminal of the last one, until its program has ended, or it is no more. */
export async function source_attaches_to_its_terminal() {
  const bodies = [];
  const answers = [
    [201, { ...TICKET, terminal: 'first' }],
    [201, { ...TICKET, terminal: 'first' }],
  ];
  answers.push(
    [410, { code: 'no_such_terminal', detail: 'no such terminal' }],
    [201, { ...TICKET, terminal: 'second' }],
  );
  answers.push([201, TICKET]);
  Object.assign(globalThis, { document: { baseURI: 'http://platform.example/' }, WebSocket: Relay });
  globalThis.fetch = (_url, { body }) => {
    bodies.push(JSON.parse(body).terminal ?? '');
    const [status, answer] = answers[bodies.length - 1];
    return Promise.resolve(Response.json(answer, { status }));
  };
  const from = new Source({ csrf: 'c', user: 'ann' }, { host: 'h', target: 'shell' });
  for (let number = 0; number < 2; number += 1) await from.ask();
  const gone = await failure(from.ask());
  assert.match(gone.message, /^this terminal is no more: .* Reconnect starts a new one$/);
  assert.deepEqual([gone.transient, from.terminal], [undefined, '']);
  await from.ask();
  assert.equal(from.terminal, 'second');
  from.ended();
  await from.ask();
  assert.deepEqual([bodies, from.terminal], [['', 'first', 'first', '', ''], '']);
}

/** A terminal that is to be looked at only is asked for so each time, also if its stream is opened anew. */
export async function source_only_looks() {
  const bodies = [];
  Object.assign(globalThis, { document: { baseURI: 'http://platform.example/' }, WebSocket: Relay });
  globalThis.fetch = (_url, { body }) => {
    bodies.push(JSON.parse(body));
    return Promise.resolve(Response.json({ ...TICKET, terminal: 't', view: true }, { status: 201 }));
  };
  const from = new Source({ csrf: 'c', user: 'ann' }, { host: 'h', target: 'shell', terminal: 't', looks: true });
  await from.first();
  await from.ask({ view: from.view });
  await from.ask();
  const asked = bodies.map(({ view, terminal }) => [view, terminal]);
  assert.deepEqual(asked, [
    [true, 't'],
    [true, 't'],
  ]);
}
