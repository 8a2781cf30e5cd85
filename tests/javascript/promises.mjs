// What streamrelay.d.ts and docs/javascript.rst promise, without a network: the platform is a function, the relay a
// class. tests/web/test_javascript_promises.py runs each of them.

import assert from 'node:assert/strict';
import { mock } from 'node:test';

import { ask, connect, open, outcome, Refused } from '../../streamrelay/web/streamrelay.js';
import { failure, Relay } from './fakes.mjs';

/** What run-each.mjs does after each of them. */
export const reset = () => mock.reset();

const TICKET = { stream: 's', url: 'ws://relay/client/secret', kind: 'log', viewer: 'log' };
const WANTED = { host: 'h1', target: 'log', platform: 'https://platform/', key: 'sr_key' };

/** A platform that answers the same each time, and keeps what it was asked. */
function platform(body = TICKET, init = { status: 201 }) {
  const asked = [];
  const fetch = (url, options) => {
    asked.push({ url, ...options, body: JSON.parse(options.body) });
    return Promise.resolve(new Response(typeof body === 'string' ? body : JSON.stringify(body), init));
  };
  return { fetch, asked };
}

async function stream(options = {}) {
  const connecting = connect(TICKET.url, { WebSocket: Relay, ...options });
  Relay.last.tell('open');
  return [await connecting, Relay.last];
}

const bytes = (size) => new ArrayBuffer(size);
const turns = async () => {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
};

export async function view_is_asked_for() {
  const { fetch, asked } = platform();
  await ask({ ...WANTED, view: true, fetch });
  await ask({ ...WANTED, fetch });
  assert.deepEqual(
    asked.map(({ body }) => body),
    [
      { host: 'h1', target: 'log', view: true },
      { host: 'h1', target: 'log' },
    ],
  );
}

export async function place_and_offset_are_asked_for() {
  const { fetch, asked } = platform();
  await ask({ ...WANTED, place: 'p', after: 7, fetch });
  await ask({ ...WANTED, place: 'p', fetch });
  assert.deepEqual(
    asked.map(({ body: { place, after } }) => [place, after]),
    [
      ['p', 7],
      ['p', 0],
    ],
  );
}

export async function request_is_careful() {
  const { fetch, asked } = platform();
  await ask({ ...WANTED, csrf: 'c', fetch });
  await ask({ ...WANTED, key: undefined, fetch });
  const [first, second] = asked;
  assert.equal(first.url, 'https://platform/v1/streams');
  assert.equal(first.method, 'POST');
  assert.equal(first.redirect, 'error');
  assert.equal(first.cache, 'no-store');
  assert.equal(first.referrerPolicy, 'no-referrer');
  assert.equal(first.headers.Authorization, 'Bearer sr_key');
  assert.equal(first.headers['X-CSRF-Token'], 'c');
  assert.deepEqual([first.credentials, second.credentials], ['omit', 'same-origin']);
  assert.equal(second.headers.Authorization, undefined);
}

/** What a browser would take for a path of the page's own server, which would be given the key, is refused. */
export async function platform_is_named_in_full() {
  for (const wrong of ['platform:8800', 'platform.example', '//platform', 'ftp://platform', 'http:platform']) {
    const { fetch, asked } = platform();
    const saying = { name: 'TypeError', message: `platform: ${wrong} is no http:// or https:// URL` };
    await assert.rejects(ask({ ...WANTED, platform: wrong, fetch }), saying);
    assert.equal(asked.length, 0);
  }
  for (const right of ['https://platform/', new URL('http://platform:88/a/'), '/of/this/page', '/']) {
    const { fetch, asked } = platform();
    await ask({ ...WANTED, platform: right, fetch });
    assert.match(asked[0].url, /[a-z8]\/v1\/streams$|^\/v1\/streams$/);
  }
}

export async function platform_has_twenty_seconds() {
  const limits = mock.method(AbortSignal, 'timeout', () => AbortSignal.abort());
  const fetch = (_, { signal }) => Promise.reject(signal.reason);
  const error = await failure(ask({ ...WANTED, fetch }));
  assert.deepEqual(limits.mock.calls[0].arguments, [20_000]);
  assert.deepEqual([error.status, error.message], [0, 'the platform does not answer']);
}

export async function relay_has_twenty_seconds() {
  mock.timers.enable({ apis: ['setTimeout'] });
  const connecting = failure(connect(TICKET.url, { WebSocket: Relay }));
  mock.timers.tick(19_999);
  assert.deepEqual(Relay.last.closed, []);
  mock.timers.tick(1);
  assert.equal(Relay.last.closed.length, 1);
  assert.equal((await connecting).outcome.transient, true);
}

export async function refusal_is_told() {
  const init = { status: 429, headers: { 'Retry-After': '9' } };
  const error = await failure(
    ask({ ...WANTED, fetch: platform({ detail: 'a\r\n\x1b[1mb\u202e', code: 'x\ny' }, init).fetch }),
  );
  assert(error instanceof Refused);
  assert.deepEqual([error.message, error.code, error.retryAfter, error.transient], ['a [1mb', 'x y', 9, true]);
  const long = await failure(ask({ ...WANTED, fetch: platform({ detail: 'x'.repeat(999) }, { status: 403 }).fetch }));
  assert.deepEqual([long.message.length, long.transient], [300, false]);
}

export async function answer_without_url_is_refused() {
  for (const body of [{ ...TICKET, url: 7 }, '[]', 'null', 'no JSON']) {
    const error = await failure(ask({ ...WANTED, fetch: platform(body).fetch }));
    assert.equal(error.code, 'bad_answer');
  }
}

export async function subprotocols_are_ours() {
  const connecting = failure(connect(TICKET.url, { WebSocket: Relay }));
  assert.deepEqual(Relay.last.protocols, ['streamrelay.v1.ping', 'streamrelay.v1']);
  Relay.last.protocol = '';
  Relay.last.tell('open');
  const error = await connecting;
  assert.match(error.message, /no subprotocol/);
  assert.deepEqual([error.outcome.transient, Relay.last.closed.length], [false, 1]);
}

export async function url_is_in_no_error() {
  class Strict {
    constructor(url) {
      throw new SyntaxError(`bad URL ${url}`);
    }
  }
  const strict = await failure(connect(TICKET.url, { WebSocket: Strict }));
  const connecting = failure(open({ ...WANTED, ...platform(), WebSocket: Relay }));
  await new Promise(setImmediate);
  Relay.last.tell('error', { message: TICKET.url });
  for (const error of [strict, await connecting]) assert(!`${error.message}${error.stack}`.includes('secret'));
}

export function reasons_are_one_line() {
  const { reason } = outcome(4001, `a\n\x07b\u2028c\u202e${'d'.repeat(400)}`);
  assert.match(reason, /^a b c d+$/);
  assert.equal(reason.length, 300);
}

export function outcomes_say_whether_to_try_again() {
  const said = [1000, 1001, 1006, 1008, 1013, 4001, 4004, 4005, 4006].map((code) => outcome(code).transient);
  assert.deepEqual(said, [false, true, true, false, true, false, true, true, false]);
  assert.deepEqual([outcome(1000).clean, outcome(1005).clean, outcome(1006).clean], [true, true, false]);
  assert.equal(outcome(1000, '', 3).words, 'the command ended with status 3');
}

export async function long_control_ends_it() {
  const [whole, near] = await stream();
  near.message(JSON.stringify({ x: 'y'.repeat(4096 - 8) }));
  assert.deepEqual(near.closed, []);
  near.message(JSON.stringify({ x: 'y'.repeat(4097 - 8) }));
  assert.equal((await whole.closed).code, 1009);
  assert.equal(near.closed.length, 1);
}

export async function unheld_flood_ends_it() {
  const [whole, near] = await stream();
  for (let count = 0; count < 63; count += 1) near.message(bytes(1 << 20));
  assert.deepEqual(near.closed, []);
  for (let count = 0; count < 2; count += 1) near.message(bytes(1 << 20));
  assert.equal((await whole.closed).code, 1013);
}

export async function agent_is_asked_to_hold() {
  mock.timers.enable({ apis: ['setTimeout'] });
  const [whole, near] = await stream();
  near.message(bytes(1 << 20));
  assert.deepEqual(near.sent, ['{"hold":true}']);
  await whole.readable.getReader().read();
  mock.timers.tick(250);
  assert.deepEqual(near.sent, ['{"hold":true}', '{"hold":false}']);
}

export async function sizes_are_paced() {
  mock.timers.enable({ apis: ['setTimeout'] });
  const [whole, near] = await stream();
  for (let columns = 80; columns < 90; columns += 1) whole.resize(columns, 24);
  assert.deepEqual(near.sent, ['{"resize":[80,24]}']);
  mock.timers.tick(249);
  assert.equal(near.sent.length, 1);
  mock.timers.tick(1);
  assert.deepEqual(near.sent[1], '{"resize":[89,24]}');
  for (const wrong of [0, 10001, 1.5, '80']) assert.throws(() => whole.resize(wrong, 24), RangeError);
  whole.resize(10000, 1);
}

export async function place_is_that_of_the_reader() {
  const [whole, near] = await stream();
  near.message('{"place":"p"}');
  near.message(bytes(5));
  near.message(bytes(3));
  const reader = whole.readable.getReader();
  await reader.read();
  await turns();
  assert.deepEqual(whole.place, { place: 'p', after: 5 });
  await reader.read();
  assert.deepEqual(whole.place, { place: 'p', after: 8 });
}

export async function break_fails_the_reader() {
  const [whole, near] = await stream();
  near.tell('close', { code: 1006, reason: '' });
  const error = await failure(whole.readable.getReader().read());
  assert.deepEqual([error.outcome.code, (await whole.closed).clean], [1006, false]);
}

export async function end_of_file_is_said() {
  const [whole, near] = await stream();
  const writer = whole.writable.getWriter();
  await writer.write('ü');
  await writer.close();
  assert.deepEqual([[...near.sent[0]], near.sent[1]], [[0xc3, 0xbc], '{"eof":true}']);
}

export async function messages_have_64_kib() {
  const [whole, near] = await stream();
  await whole.writable.getWriter().write(new Uint8Array(65536 + 1));
  assert.deepEqual(
    near.sent.map(({ byteLength }) => byteLength),
    [65536, 1],
  );
}

export async function writes_wait_for_room() {
  mock.timers.enable({ apis: ['setTimeout'] });
  const [whole, near] = await stream();
  near.bufferedAmount = (1 << 20) + 1;
  const writing = whole.writable.getWriter().write('x');
  await turns();
  assert.deepEqual(near.sent, []);
  near.bufferedAmount = 1 << 20;
  mock.timers.tick(1);
  await writing;
  assert.equal(near.sent.length, 1);
}

export async function abort_as_it_opens_leaves_no_websocket() {
  const stopping = new AbortController();
  const connecting = connect(TICKET.url, { WebSocket: Relay, signal: stopping.signal });
  Relay.last.tell('open');
  stopping.abort(new Error('enough'));
  const { closed } = await connecting;
  assert.deepEqual([(await closed).words, Relay.last.closed.length], ['aborted', 1]);
}

export async function unreached_platform_says_why() {
  const refused = (error) => failure(ask({ ...WANTED, fetch: () => Promise.reject(error) }));
  const cause = new Error('unable to verify the first certificate');
  const { message } = await refused(new TypeError('fetch failed', { cause }));
  assert.equal(message, "the platform can't be reached: unable to verify the first certificate");
  assert.equal((await refused(new TypeError('Failed to fetch'))).message, "the platform can't be reached");
}
