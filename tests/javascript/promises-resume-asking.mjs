// How the client in JavaScript asks for new legs of a stream that resumes, and how such a stream ends (protocol.rst, "Streams
// that resume"). tests/web/test_javascript_promises.py runs each of these.

import assert from 'node:assert/strict';

import { units, World } from './resuming.mjs';
import { lost } from './resuming-lost.mjs';

export async function resuming_is_asked_for_and_names_the_stream() {
  const { world, times } = await lost({ up: true });
  assert.deepEqual(world.first, { host: 'h', target: 't', resume: true });
  await world.run(() => world.asked.length);
  const { at: _, ...first } = world.asked[0];
  assert.deepEqual(first, { host: 'h', target: 't', received: 0, try: 1 });
  assert.deepEqual(times(), [0]);
}

export async function requests_come_less_and_less_often_until_the_hold_has_passed() {
  for (const seed of [1, 2, 3]) {
    const { world, stream, times } = await lost({ seed });
    const outcome = await world.ended(stream);
    const at = times();
    assert.equal(at[0], 0);
    const waits = at.slice(1).map((time, place) => time - at[place]);
    for (const [place, wait] of waits.slice(0, -1).entries()) {
      const most = Math.min(10, 0.2 * 1.25 ** place);
      assert(wait >= most / 2 - 0.002 && wait <= most + 0.002, `wait ${place}: ${wait} s`);
    }
    assert(new Set(waits.slice(5, -1).map((wait) => wait.toFixed(3))).size > 5, 'pages would ask in step');
    assert(Math.abs(at.at(-1) - 120) < 0.01, `the last one after ${at.at(-1)} s`);
    assert.deepEqual([outcome.code, outcome.transient, outcome.clean], [4005, true, false]);
    assert.match(outcome.reason, /^not resumed: the relay .* can't be reached/);
    assert.deepEqual(
      world.asked.map((one) => one.try),
      at.map((_, place) => place + 1),
    );
    await world.pass(100_000);
    assert.equal(world.asked.length, at.length);
  }
}

export async function it_is_told_when_it_is_detached_and_attached() {
  const { world, stream, told, since } = await lost();
  await world.pass(3000);
  const [[first, at, detached], [second, , tried]] = told;
  const why = 'the connection to the relay broke';
  assert.deepEqual([first, at, detached], ['detached', since, { since, until: since + 120_000, why }]);
  assert.deepEqual([second, { ...tried, why }], ['tried', detached]); // as the first try fails; the others do so likewise
  assert.match(tried.why, /^the relay .* can't be reached/);
  assert.equal(stream.detached, tried);
  const writer = stream.writable.getWriter();
  await writer.write('typed');
  assert.equal(stream.unconfirmed, 5);
  world.up = true;
  world.hold = 7; // by now
  await world.run(() => world.agent.heard.length === 5);
  assert.deepEqual([told[2][0], told[2][2], stream.detached, told.length], ['attached', null, null, 3]);
  world.agent.near.cut(1012);
  const { since: again, until, why: stopped } = told[3][2];
  assert.deepEqual([until - again, stopped], [7000, 'the relay stops; the stream goes on elsewhere']);
}

export async function pages_whose_relay_stops_do_not_come_all_at_once() {
  for (const [code, most] of [
    [1012, 200],
    [1006, 0],
    [1001, 0],
  ]) {
    const firsts = [];
    for (let seed = 1; seed <= 20; seed += 1) {
      const world = new World({ seed });
      await world.open();
      const since = world.clock.now;
      world.agent.near.cut(code);
      await world.run(() => world.asked.length);
      firsts.push(world.asked[0].at - since);
    }
    assert(Math.max(...firsts) <= most, `${firsts}`);
    if (most) assert(new Set(firsts.map(Math.floor)).size > 15, `${firsts}`);
  }
}

/** Legs that are cut as soon as they stand; each has brought something, or nothing. */
async function shortLived(brings) {
  const world = new World();
  const stream = await world.open();
  void world.read(stream);
  const since = world.clock.now;
  for (let count = 1; count <= 8; count += 1) {
    world.agent.near.cut(1006);
    world.agent.near = null;
    await world.run(() => world.agent.near);
    if (brings) world.agent.say([count]);
    await world.pass(1);
  }
  return world.clock.now - since;
}

export async function leg_that_brought_something_is_followed_at_once_and_one_that_did_not_is_not() {
  const [useful, useless] = [await shortLived(true), await shortLived(false)];
  assert(useful < 100, `${useful} ms`);
  assert(useless > 5000, `${useless} ms`);
}

export async function network_that_is_back_is_used_at_once() {
  for (const [name, fields] of [
    ['online', {}],
    ['pageshow', { persisted: true }],
  ]) {
    const { world, times, events } = await lost();
    await world.pass(40_000);
    world.up = true;
    const now = times().length;
    const since = world.clock.now;
    events.tell(name, fields);
    await world.run(() => world.agent.near);
    assert.deepEqual([world.asked.length, world.clock.now - since], [now + 1, 0]);
  }
}

export async function waking_is_noticed_without_a_link() {
  for (const seed of [1, 2, 3, 4]) {
    const { world, times } = await lost({ seed });
    await world.pass(40_000);
    world.up = true;
    const now = times().length;
    world.clock.sleep(20_000);
    const since = world.clock.now;
    await world.run(() => world.agent.near);
    assert(world.clock.now - since <= 1000);
    assert.equal(world.asked.length, now + 1);
  }
}

export async function request_that_hangs_is_given_up_for_a_new_network() {
  const { world, stream, events } = await lost({ up: true });
  world.answers.push(['hangs'], ['hangs']);
  await world.pass(500);
  for (let count = 0; count < 9; count += 1) events.tell('online'); // it has just been asked
  await world.pass(1000);
  assert.equal(world.asked.length, 1);
  events.tell('online');
  await world.pass(10);
  assert.equal(world.asked.length, 2);
  await world.pass(3000);
  stream.hurry();
  await world.run(() => world.agent.near);
  assert.equal(world.asked.length, 3);
}

export async function legs_that_are_lost_again_are_asked_for_less_often() {
  const { world, times } = await lost({ up: true });
  for (let count = 0; count < 8; count += 1) {
    await world.run(() => world.agent.near?.readyState === 1);
    world.agent.near.cut(1006);
  }
  await world.run(() => world.agent.near);
  assert(times().at(-1) > 8, `eight within ${times().at(-1)} s`);
  await world.pass(5000);
  const since = world.clock.now;
  world.agent.near.cut(1006); // which has stood
  await world.run(() => world.agent.near);
  assert.equal(world.clock.now, since);
}

export async function closes_that_are_outcomes_end_it() {
  for (const code of [4001, 4002, 4003, 4006, 4008, 4009, 4011]) {
    const world = new World();
    const stream = await world.open();
    world.agent.near.cut(code);
    assert.equal((await world.ended(stream)).code, code);
    assert.equal(world.asked.length, 0);
  }
}

export async function agents_end_is_confirmed_and_ends_it() {
  const world = new World();
  const stream = await world.open();
  world.agent.say([...units('bye'), '{"exit":3}']);
  world.agent.end(4009, 'a day');
  const outcome = await world.ended(stream);
  assert.deepEqual([outcome.code, outcome.reason, outcome.exit], [4009, 'a day', 3]);
  assert.equal(world.legs[0].closed, 4009);
  const [got, error] = await world.readAll(stream);
  assert.deepEqual([got, error.outcome], [[...units('bye'), '{"exit":3}'], outcome]);
  await world.run(() => world.legs[0].readyState === 3);
  assert.deepEqual(world.confirmations, [5]);
  assert.equal(world.asked.length, 0);
}

export async function leaving_says_the_end_behind_what_was_written() {
  for (const cut of [null, 0, 2, 5]) {
    const world = new World();
    const stream = await world.open();
    if (cut !== null) world.cuts = [{ way: 'up', after: cut }];
    await stream.writable.getWriter().write('last');
    stream.close();
    assert.equal((await world.ended(stream)).words, 'closed here');
    await world.run(() => world.agent.over);
    assert.deepEqual(world.agent.heard, [...units('last'), '{"end":{"code":1000,"reason":""}}']);
    await world.run(() => world.legs.every(({ readyState }) => readyState === 3));
    if (!world.asked.length) assert.equal(world.clock.count, 0); // or Node would wait
    await world.pass(70_000);
    assert.equal(world.legs.filter(({ readyState }) => readyState < 2).length, 0);
  }
}

export async function end_that_nobody_confirms_leaves_nothing_behind() {
  const world = new World();
  const stream = await world.open();
  world.agent.confirm = () => {};
  stream.close();
  await world.pass(61_000);
  assert.deepEqual([world.legs[0].readyState, world.clock.count, world.asked.length], [3, 0, 0]);
  const off = await lost();
  off.stream.close();
  await off.world.pass(121_000);
  assert.deepEqual([off.world.clock.count, off.told.length], [0, 1]);
  const late = await lost();
  late.world.agent.confirm = () => {};
  late.stream.close();
  await late.world.pass(5000);
  late.world.up = true;
  await late.world.run(() => late.world.agent.over);
  await late.world.pass(61_000);
  assert.equal(late.world.agent.near, null);
}

export async function page_that_is_left_ends_its_streams() {
  const { world, events } = await lost({ up: true });
  await world.run(() => world.agent.near);
  events.tell('pagehide', { persisted: true }); // it may come back
  await world.pass(100);
  assert.equal(world.agent.over, null);
  events.tell('pagehide', { persisted: false });
  await world.run(() => world.agent.over);
  assert.deepEqual(world.left, []);
}

export async function page_that_is_left_without_a_leg_has_the_platform_end_its_streams() {
  const { world, events } = await lost();
  await world.pass(3000);
  events.tell('pagehide', { persisted: true });
  assert.deepEqual(world.left, []);
  events.tell('pagehide', { persisted: false });
  assert.deepEqual(world.left, ['/v1/streams/a%2Fb']);
}

/** Firefox stops the script that runs as somebody goes elsewhere, but no later one. */
export async function page_that_is_left_says_so_though_it_was_stopped() {
  const { world, events } = await lost();
  await world.pass(3000);
  world.stopped = 1;
  const stopped = new Promise((told) => process.once('uncaughtException', told));
  events.tell('pagehide', { persisted: false });
  assert.equal((await stopped).message, 'stopped');
  assert.deepEqual(world.left, ['/v1/streams/a%2Fb']);
}

export async function ends_that_differ_lose_nothing_silently() {
  for (const received of [3, 99, -1, 1.5]) {
    const { world, stream } = await lost({ up: true });
    const writer = stream.writable.getWriter();
    await writer.write('12345');
    await world.run(() => world.agent.heard.length === 5);
    world.agent.confirm(4);
    await world.run(() => stream.unconfirmed === 1);
    world.answers.push([201, { url: 'ws://relay/client/x', received, resume: 120 }, {}]);
    const legs = world.legs.length;
    world.agent.near.cut(1006);
    if (received === 1.5) continue; // no position at all, so it is asked for again
    assert.match((await world.ended(stream)).reason, /the two ends differ/);
    assert.equal(world.legs.length, legs);
  }
}

export async function confirming_too_much_is_a_fault() {
  const world = new World();
  const stream = await world.open();
  world.agent.near.down('{"ack":1}');
  assert.equal((await world.ended(stream)).code, 1002);
  await world.run(() => world.agent.over);
  assert.equal(world.agent.over.code, 1002);
}
