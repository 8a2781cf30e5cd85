// What streamrelay.d.ts promises of a platform that says where to go before its host has answered (protocol.rst, "Early
// answers"). tests/web/test_javascript_promises.py runs each of them.

import assert from 'node:assert/strict';

import { open, Refused } from '../../streamrelay/web/streamrelay.js';
import { failure, Relay } from './fakes.mjs';

const TICKET = { stream: 's', url: 'ws://relay/client/secret', kind: 'log', viewer: 'log' };
const WANTED = { host: 'h1', target: 'log', platform: 'https://platform/', key: 'sr_key' };
const EARLY = { stream: 's', url: TICKET.url, expires: 5 };
const NO = { status: 504, detail: 'no answer', code: 'target_unreachable' };

/** A platform that answers in lines, as the test says them. */
function lines() {
  let told;
  const body = new ReadableStream({
    start(controller) {
      told = controller;
    },
  });
  const asked = [];
  const fetch = (url, options) => {
    asked.push({ url, ...options });
    return Promise.resolve(new Response(body.pipeThrough(new TextEncoderStream()), { status: 200 }));
  };
  Relay.last = null;
  const opening = open({ ...WANTED, fetch, WebSocket: Relay });
  opening.catch(() => {});
  const say = async (text, last = false) => {
    told.enqueue(typeof text === 'string' ? text : `${JSON.stringify(text)}\n`);
    if (last) told.close();
    await new Promise((later) => setTimeout(later, 1));
  };
  return { opening, say, asked };
}

export async function opens_while_the_host_is_asked() {
  for (const relayFirst of [true, false]) {
    const { opening, say, asked } = lines();
    const whole = `${JSON.stringify(EARLY)}\n`;
    await say(whole.slice(0, 9));
    assert.equal(Relay.last, null);
    await say(whole.slice(9));
    const near = Relay.last;
    assert.equal(near.url, TICKET.url);
    if (relayFirst) near.tell('open');
    await say(TICKET, true);
    if (!relayFirst) near.tell('open');
    const stream = await opening;
    assert.deepEqual([stream.ticket.kind, stream.ticket.viewer, Relay.last, near.closed], ['log', 'log', near, []]);
    assert.equal(asked[0].headers.Accept, 'application/x-ndjson, application/json');
  }
}

export async function late_refusal_leaves_no_websocket() {
  for (const how of ['open', 'error', 'none']) {
    const { opening, say } = lines();
    await say(EARLY);
    const near = Relay.last;
    if (how !== 'none') near.tell(how);
    await say(NO, true);
    const error = await failure(opening);
    assert(error instanceof Refused);
    assert.deepEqual([error.status, error.code, error.message, error.transient], [504, NO.code, NO.detail, true]);
    assert(near.closed.length > 0);
  }
}

export async function early_websocket_that_fails_is_told() {
  const { opening, say } = lines();
  await say(EARLY);
  Relay.last.tell('error');
  await say(TICKET, true);
  assert.equal((await failure(opening)).outcome.code, 1006);
}

export async function lines_may_be_none() {
  for (const told of [[EARLY], [EARLY, 'no JSON\n'], ['<html>\n', '</html>\n'], ['']]) {
    const { opening, say } = lines();
    for (const line of told) await say(line);
    await say('', true);
    assert.equal((await failure(opening)).code, 'bad_answer');
  }
}

export async function early_url_of_another_stream_is_dropped() {
  const { opening, say } = lines();
  await say({ ...EARLY, url: 'ws://relay/client/other' });
  const other = Relay.last;
  await say(TICKET, true);
  assert.equal(Relay.last.url, TICKET.url);
  Relay.last.tell('open');
  await opening;
  assert.equal(other.closed.length, 1);
}

export async function relay_that_the_host_cannot_use_is_left() {
  for (const how of ['open', 'error', 'none']) {
    const { opening, say } = lines();
    await say({ ...EARLY, url: 'ws://relay-1/client/other' });
    const first = Relay.last;
    if (how !== 'none') first.tell(how);
    await say({ ...TICKET, url: 'ws://relay-2/client/secret' }, true);
    const second = Relay.last;
    assert.deepEqual([second.url, second.closed], ['ws://relay-2/client/secret', []]);
    second.tell('open');
    const stream = await opening;
    assert.equal(stream.ticket.url, second.url);
    assert(first.closed.length > 0, how);
    stream.close();
  }
}
