// What streamrelay.js promises of kept terminals: tests/web/test_javascript_promises.py runs each of these.

import assert from 'node:assert/strict';

import { ask, connect, endTerminal, open, Refused, terminals } from '../../streamrelay/web/streamrelay.js';
import { failure, Relay } from './fakes.mjs';

const TERMINAL = 'ThkEYWlKvRBmZ2Zt8cNqUA';
const TICKET = { stream: 's', url: 'ws://relay/client/secret', kind: 'pty', viewer: 'terminal', terminal: TERMINAL };
const WANTED = { host: 'web/1', target: 'shell', platform: 'https://platform/', key: 'sr_key' };
const KEPT = {
  terminal: TERMINAL,
  host: 'web/1',
  target: 'shell',
  user: 'ann',
  seconds: 7,
  people: [],
  size: [80, 24],
};

/** A platform that answers the same each time, and keeps what it was asked. */
function platform(body, status = 200) {
  const asked = [];
  const fetch = (url, options) => {
    asked.push({ url, ...options, body: options.body && JSON.parse(options.body) });
    return Promise.resolve(new Response(body === undefined ? null : JSON.stringify(body), { status }));
  };
  return { fetch, asked };
}

async function stream() {
  const connecting = connect(TICKET.url, { WebSocket: Relay });
  Relay.last.tell('open');
  return [await connecting, Relay.last];
}

const say = (near, message) => near.message(JSON.stringify(message));

/** Which terminal is wanted is asked for, and which one it is is told; of others there is none. */
export async function terminal_is_asked_for() {
  const { fetch, asked } = platform(TICKET, 201);
  const ticket = await ask({ ...WANTED, terminal: TERMINAL, fetch });
  await ask({ ...WANTED, fetch });
  assert.deepEqual([asked[0].body.terminal, 'terminal' in asked[1].body, ticket.terminal], [TERMINAL, false, TERMINAL]);
  const older = platform({ stream: 's', url: TICKET.url }, 201);
  assert.equal((await ask({ ...WANTED, fetch: older.fetch })).terminal, '');
}

/** One that isn't there is refused in the platform's words, and isn't worth another try. */
export async function terminal_that_has_ended_is_told() {
  const { fetch } = platform({ code: 'no_such_terminal', detail: 'no such terminal' }, 410);
  const error = await failure(open({ ...WANTED, terminal: TERMINAL, fetch, WebSocket: Relay }));
  assert(error instanceof Refused);
  const { status, code, message, transient } = error;
  assert.deepEqual([status, code, message, transient], [410, 'no_such_terminal', 'no such terminal', false]);
}

/** The list is that of one host, by the same credentials as streams; whose names it has is made harmless. */
export async function terminals_are_listed() {
  const people = [{ user: 'b\u202eob\n', view: 1, stream: 's' }, { user: 7 }, null];
  const { fetch, asked } = platform({ terminals: [KEPT, { ...KEPT, people, detached: 3 }] });
  const [first, second] = await terminals({ ...WANTED, fetch });
  assert.deepEqual([first, second.detached, second.people], [KEPT, 3, [{ user: 'b ob', view: false, stream: 's' }]]);
  const [{ url, method, headers, body, redirect }] = asked;
  assert.deepEqual([url, method, body], ['https://platform/v1/hosts/web%2F1/terminals', 'GET', undefined]);
  assert.deepEqual([headers.Authorization, headers['Content-Type'], redirect], ['Bearer sr_key', undefined, 'error']);
  for (const wrong of [{}, { terminals: 'x' }]) {
    const error = await failure(terminals({ ...WANTED, fetch: platform(wrong).fetch }));
    assert.equal(error.code, 'bad_answer');
  }
}

/** A terminal is ended by its id; a no is told as that of a stream. */
export async function terminal_is_ended() {
  const { fetch, asked } = platform(undefined, 204);
  assert.equal(await endTerminal({ ...WANTED, csrf: 'c', terminal: 'a/b', fetch }), undefined);
  const [{ url, method, headers }] = asked;
  assert.deepEqual([url, method], ['https://platform/v1/hosts/web%2F1/terminals/a%2Fb', 'DELETE']);
  assert.equal(headers['X-CSRF-Token'], 'c');
  const refusal = platform({ code: 'no_such_terminal', detail: 'no such terminal' }, 404);
  const error = await failure(endTerminal({ ...WANTED, terminal: TERMINAL, fetch: refusal.fetch }));
  assert.deepEqual([error.status, error.message], [404, 'no such terminal']);
}

/** Who is there, and whose size counts, is known as soon as what comes before it has been read, and not before. */
export async function people_and_size_come_in_order() {
  const [whole, near] = await stream();
  const told = [];
  for (const name of ['people', 'size']) whole.addEventListener(name, () => told.push([name, whole[name]]));
  near.message(new TextEncoder().encode('before').buffer);
  say(near, { people: [{ user: 'ann' }, { user: 'bob', view: true }], size: [80, 24] });
  near.message(new TextEncoder().encode('after').buffer);
  const reader = whole.readable.getReader();
  await reader.read();
  assert.deepEqual([told, whole.people, whole.size], [[], null, null]);
  await reader.read();
  const people = [
    { user: 'ann', view: false },
    { user: 'bob', view: true },
  ];
  assert.deepEqual(told, [
    ['people', people],
    ['size', [80, 24]],
  ]);
}

/** What is no list of people, or no size, changes nothing. */
export async function malformed_people_and_sizes_are_passed_over() {
  const [whole, near] = await stream();
  const reader = whole.items.getReader();
  for (const message of [
    ...[{ people: 'ann' }, { people: null }, { size: [80] }, { size: [0, 24] }, { size: ['80', 24] }],
    ...[{ size: [80, 24, 1] }, { size: [10001, 1] }, { size: 80 }],
  ]) {
    say(near, message);
    await reader.read();
  }
  assert.deepEqual([whole.people, whole.size], [null, null]);
  say(near, { people: [{ view: true }, { user: 'bob\u001b[1m' }], others: 3 });
  await reader.read();
  assert.deepEqual([whole.people, whole.others], [[{ user: 'bob [1m', view: false }], 3]);
  say(near, { people: [], others: -1 });
  await reader.read();
  assert.deepEqual([whole.people, whole.others], [[], 0]);
}
