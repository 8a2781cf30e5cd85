// How a stream that resumes begins in the JavaScript client, in all the ways in which one may be opened, and what it does
// while it has no leg. tests/web/test_javascript_promises.py runs each of these.

import assert from 'node:assert/strict';

import { ask, connect, open, Refused } from '../../streamrelay/web/streamrelay.js';
import { failure } from './fakes.mjs';
import { units, World } from './resuming.mjs';

/** A stream by `connect`, whose caller asks for its legs. */
async function connected(world, resume) {
  const wanted = { host: 'h', target: 't', platform: 'https://p', key: 'k', fetch: world.fetch };
  const ticket = await ask({ ...wanted, resume: true });
  const connecting = connect(ticket.url, { ticket, WebSocket: world.Socket, resume: resume ?? wanted });
  await world.run(() => world.agent.near);
  return connecting;
}

export async function ticket_that_was_asked_for_before_resumes_too() {
  const world = new World();
  const stream = await connected(world);
  world.agent.near.cut(1006);
  await stream.writable.getWriter().write('on');
  await world.run(() => world.agent.heard.length === 2);
  assert.equal(world.asked.length, 1);
}

export async function pages_own_server_may_ask_for_legs() {
  const world = new World();
  const asked = [];
  const refused = new Refused(503, 'busy', 'not now', 7);
  const stream = await connected(world, ({ signal, early, ...position }) => {
    asked.push([world.clock.now, position]);
    if (asked.length === 1) return Promise.reject(refused);
    const [, { received, resume }] = world.agent.resume(position);
    return Promise.resolve({ url: 'ws://relay/client/mine', received, resume });
  });
  world.agent.near.cut(1006);
  await stream.writable.getWriter().write('on');
  await world.run(() => world.agent.heard.length === 2);
  const [[first, position], [second]] = asked;
  assert.deepEqual([position, second - first], [{ stream: 'a/b', received: 0, try: 1, view: false }, 7000]);
  assert.deepEqual([world.legs.at(-1).url, world.asked.length], ['ws://relay/client/mine', 0]);
}

export async function stream_that_resumes_is_not_taken_for_another() {
  const error = await failure(connect('ws://relay/client/x', { ticket: { resume: 120 }, WebSocket: World }));
  assert.match(error.message, /resumes/);
}

/** A stream whose first line has come, and what tells the last one. */
async function early(world) {
  const lines = new TransformStream();
  const writer = lines.writable.getWriter();
  const ticket = { stream: 'a/b', url: 'ws://relay/client/early', expires: 1 };
  const fetch = (path, options) =>
    path.endsWith('/v1/streams') ? Promise.resolve(new Response(lines.readable)) : world.fetch(path, options);
  const say = (line) => void writer.write(new TextEncoder().encode(`${JSON.stringify(line)}\n`));
  const opening = world.open({ fetch });
  say(ticket);
  await world.run(() => world.agent.near);
  const tell = () => {
    say({ ...ticket, kind: 'pty', viewer: 'terminal', resume: world.hold });
    void writer.close();
    return opening;
  };
  return tell;
}

export async function much_that_comes_before_the_answer_is_held_if_it_does_not_resume() {
  for (const hold of [120, 0]) {
    const world = new World({ hold });
    const tell = await early(world);
    world.agent.say(new Uint8Array(2 << 20));
    await world.run(() => world.legs[0].idle);
    assert.deepEqual([world.holds, world.confirmations], [0, []]);
    await tell();
    await world.pass(1000);
    assert.equal(world.holds, hold ? 0 : 1);
  }
}

export async function leg_that_is_lost_before_the_platform_has_answered_is_resumed() {
  for (const hold of [120, 0]) {
    const world = new World({ hold });
    const tell = await early(world);
    world.agent.say(units('hel'));
    await world.run(() => world.legs[0].idle);
    await new Promise(setImmediate);
    world.agent.near.cut(1012);
    await new Promise(setImmediate);
    const stream = await tell();
    if (hold) {
      world.agent.say(units('lo'));
      const got = [];
      void world.read(stream, got);
      await world.run(() => got.length === 5);
      assert.deepEqual([got, world.asked.length, world.asked[0].received], [units('hello'), 1, 3]);
    } else {
      assert.equal((await world.ended(stream)).code, 1012);
      assert.equal(world.asked.length, 0);
    }
  }
}

export async function last_size_is_told_to_a_new_leg() {
  const world = new World();
  const stream = await world.open();
  world.up = false;
  world.agent.near.cut(1006);
  for (let columns = 80; columns < 90; columns += 1) {
    stream.resize(columns, 24);
    await world.pass(1000);
  }
  assert.equal(stream.unconfirmed, 0);
  world.up = true;
  await world.run(() => world.agent.heard.length);
  assert.deepEqual(world.agent.heard, ['{"resize":[89,24]}']);
  world.agent.near.cut(1006);
  await world.pass(2000); // it has been heard, so it isn't told again
  assert.deepEqual(world.agent.heard, ['{"resize":[89,24]}']);
}

export async function dead_link_is_a_lost_leg() {
  const world = new World();
  world.protocol = 'streamrelay.v1.ping';
  const stream = await world.open();
  const got = [];
  void world.read(stream, got);
  await world.pass(13_000); // the ping is not answered
  const dead = world.agent.near;
  world.agent.near = null;
  await world.run(() => world.asked.length);
  dead.readyState = 1; // it wakes up, and has something to say that the agent says once more by the new leg
  world.agent.say(units('once'));
  dead.dispatchEvent(Object.assign(new Event('message'), { data: Uint8Array.from(units('once')).buffer }));
  await world.run(() => got.length >= 4);
  await world.pass(1000);
  assert.deepEqual([got, world.asked.length], [units('once'), 1]);
}

export async function abort_ends_it_for_the_host_too() {
  const world = new World();
  const stopping = new AbortController();
  const stream = await world.open({ signal: stopping.signal });
  world.up = false;
  world.agent.near.cut(1006);
  await world.pass(1000);
  stopping.abort(new Error('enough'));
  assert.equal((await world.ended(stream)).words, 'aborted');
  world.up = true;
  await world.run(() => world.agent.over);
}

/** What a stream that isn't opened after all has left, by when its caller gave up. */
async function abandoned(world, until, wanted = {}) {
  const stopping = new AbortController();
  const opening = open({
    ...{ host: 'h', target: 't', platform: 'https://p', key: 'k', resume: true, fetch: world.fetch },
    ...{ WebSocket: world.Socket, signal: stopping.signal, ...wanted },
  });
  let error = null;
  opening.catch((why) => {
    error = why;
  });
  await world.run(until);
  stopping.abort(new Error('enough'));
  await world.run(() => error);
  assert.equal(Object(error).message, 'enough');
  return world.left;
}

export async function stream_that_is_not_opened_after_all_is_ended_by_the_platform() {
  for (const early of ['', 'ws://relay/client/early']) {
    for (const resume of [true, false]) {
      const world = new World();
      world.early = early;
      assert.deepEqual(await abandoned(world, () => world.legs.length, { resume }), ['/v1/streams/a%2Fb'], early);
    }
  }
  const world = new World();
  const ticket = await ask({ host: 'h', target: 't', platform: 'https://p', fetch: world.fetch, resume: true });
  const stopping = new AbortController();
  const resume = { host: 'h', target: 't', platform: 'https://p', fetch: world.fetch };
  const failing = failure(connect(ticket.url, { ticket, resume, WebSocket: world.Socket, signal: stopping.signal }));
  stopping.abort(new Error('enough'));
  assert.deepEqual([(await failing).message, world.left], ['enough', ['/v1/streams/a%2Fb']]);
}

export async function stream_whose_relay_is_not_reached_is_ended_by_the_platform() {
  const world = new World();
  world.up = false;
  assert.equal((await failure(world.open())).outcome.code, 1006);
  assert.deepEqual(world.left, ['/v1/streams/a%2Fb']);
}

export async function why_a_stream_is_not_opened_is_told_though_its_end_cannot_be() {
  const world = new World();
  Object.assign(world, { up: false, stopped: 1 });
  assert.equal((await failure(world.open())).outcome.code, 1006);
}

export async function host_that_does_not_hold_has_an_ordinary_stream() {
  const world = new World({ hold: 0 });
  const stream = await world.open();
  world.agent.near.down(new Uint8Array(2 << 20));
  await world.run(() => world.agent.heard.length || world.holds);
  assert.equal(world.holds, 1);
  const writer = stream.writable.getWriter();
  void writer.close();
  await world.run(() => world.eofs);
  world.agent.near.cut(1006);
  assert.equal((await world.ended(stream)).code, 1006);
  assert.deepEqual([world.asked.length, stream.detached, world.agent.acked], [0, null, 0]);
  const left = new World({ hold: 0 });
  (await left.open()).close();
  await left.run(() => left.legs[0].readyState === 3);
  assert.deepEqual([left.legs[0].closed, left.agent.heard], [1000, []]);
}

export async function network_is_used_by_a_page_that_nobody_sees() {
  const here = new EventTarget();
  globalThis.addEventListener = here.addEventListener.bind(here);
  globalThis.document = Object.assign(new EventTarget(), { visibilityState: 'hidden' });
  const world = new World();
  const stream = await world.open();
  const seen = () => {
    document.visibilityState = 'visible';
    document.dispatchEvent(new Event('visibilitychange'));
  };
  for (const news of [() => here.dispatchEvent(new Event('online')), seen]) {
    await world.pass(5000);
    world.up = false;
    world.agent.near.cut(1006);
    await world.pass(40_000);
    world.up = true;
    const since = world.clock.now;
    news();
    await world.run(() => world.agent.near);
    assert.equal(world.clock.now, since);
  }
  stream.close();
}

/** A stream of a page that nobody sees, whose timers come each so many milliseconds. */
async function unseen(every) {
  globalThis.document = Object.assign(new EventTarget(), { visibilityState: 'hidden' });
  const world = new World();
  const interval = globalThis.setInterval;
  globalThis.setInterval = (act) => interval(act, every);
  Object.assign(world, { protocol: 'streamrelay.v1.ping', answers_pings: true });
  await world.open();
  return world;
}

/** Its host holds a stream for 120 s, and then 45 more until the relay has noticed. */
export async function dead_link_of_a_page_that_nobody_sees_is_resumed_in_time() {
  for (const every of [1000, 60_000]) {
    const world = await unseen(every);
    await world.pass(1_800_000);
    assert.equal(world.asked.length, 0, 'a link that lives was given up');
    world.answers_pings = false;
    const since = world.clock.now;
    await world.run(() => world.asked.length);
    assert(world.clock.now - since <= 2 * every + 20_000, `${world.clock.now - since} ms`);
  }
}

export async function page_that_was_frozen_asks_before_it_gives_a_link_up() {
  const world = await unseen(1000);
  world.clock.sleep(3_600_000);
  document.dispatchEvent(new Event('resume'));
  await world.pass(60_000);
  assert.equal(world.asked.length, 0);
  world.clock.sleep(3_600_000);
  world.answers_pings = false;
  document.dispatchEvent(new Event('resume'));
  const since = world.clock.now;
  await world.run(() => world.asked.length);
  assert(world.clock.now - since <= 6000, `${world.clock.now - since} ms`);
}
