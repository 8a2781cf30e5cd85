// What the client in JavaScript does upon the platform's answers to who asks for new legs (protocol.rst, "Streams that
// resume"). tests/web/test_javascript_promises.py runs each of these.

import assert from 'node:assert/strict';

import { failure } from './fakes.mjs';
import { lost } from './resuming-lost.mjs';

const REFUSED = { detail: 'no', code: 'x' };

export async function what_can_never_be_is_not_asked_for_again() {
  for (const status of [400, 401, 403, 404, 405, 410, 411, 413, 415]) {
    const { world, stream } = await lost();
    world.answers.push([status, { detail: 'the stream has ended', code: 'stream_over' }, {}]);
    const outcome = await world.ended(stream);
    assert.deepEqual([outcome.code, outcome.reason], [4005, 'not resumed: the stream has ended']);
    assert.equal((await failure(stream.readable.getReader().read())).outcome, outcome);
    await world.pass(60_000);
    assert.equal(world.asked.length, 1);
  }
}

export async function everything_else_is_asked_for_again() {
  const answers = [
    ...[408, 409, 429, 500, 502, 503, 504].map((status) => [status, REFUSED, {}]),
    // A proxy whose platform is restarted, a network that wants a login first: these aren't the platform's words.
    ...[200, 400, 401, 403, 404, 405, 410, 502, 503, 504, 511].map((status) => [status, '<html></html>', {}]),
    [404, { detail: 'no backend' }, {}],
    [201, {}, {}], // without a URL, or without a position
    [201, { url: 'ws://relay/client/x' }, {}],
    [201, { url: 'ws://relay/client/x', received: '0' }, {}],
  ];
  for (const answer of answers) {
    const { world, stream } = await lost({ up: true });
    world.answers.push(answer);
    const writer = stream.writable.getWriter();
    await writer.write('on');
    await world.run(() => world.agent.heard.length === 2);
    assert.deepEqual(
      world.asked.map((one) => one.try),
      [1, 2],
    );
  }
}

export async function end_that_the_host_remembers_is_told() {
  const detail = 'the stream is over: finished; its program had ended with status 3';
  const ends = [
    [{ code: 4006, reason: 'maintenance', exit: 3 }, [4006, 'maintenance', false, 3]],
    [{ code: 4001 }, [4001, '', false, undefined]],
    // Who has missed its end has missed what came before it; but what is done isn't to be done once more.
    [{ code: 1000, reason: '', exit: 3 }, [4005, `not resumed: ${detail}`, false, 3]],
    [{ code: 4005, reason: 'nobody came back' }, [4005, `not resumed: ${detail}`, true, undefined]],
    ['x', [4005, `not resumed: ${detail}`, true, undefined]],
    [{ code: '4006', reason: 'x' }, [4005, `not resumed: ${detail}`, true, undefined]],
    [{ code: 4006, reason: 5 }, [4005, `not resumed: ${detail}`, true, undefined]],
  ];
  for (const [ended, expected] of ends) {
    const { world, stream } = await lost();
    world.answers.push([410, { detail, code: 'stream_over', ended }, {}]);
    const { code, reason, transient, exit, clean } = await world.ended(stream);
    assert.deepEqual([code, reason, transient, exit], expected);
    assert.equal(clean, false);
  }
}

export async function stale_requests_are_made_newer() {
  const { world, stream } = await lost({ up: true });
  world.agent.tries = 3;
  await stream.writable.getWriter().write('on');
  await world.run(() => world.agent.heard.length === 2);
  assert.equal(world.asked.length, 4);
}

export async function no_request_before_it_is_wanted() {
  const { world, times, events } = await lost({ up: true });
  world.answers.push([503, REFUSED, { 'Retry-After': '30' }]);
  await world.pass(10_000);
  events.tell('online');
  await world.run(() => world.agent.near);
  assert.deepEqual(times(), [0, 30]);
  const late = await lost();
  late.world.answers.push([503, REFUSED, { 'Retry-After': '999' }]);
  const { reason } = await late.world.ended(late.stream);
  assert.deepEqual([late.times(), reason], [[0], 'not resumed: the platform is busy']);
}

export async function leg_is_opened_while_the_host_is_asked() {
  const { world, stream, since } = await lost({ up: true });
  world.early = 'ws://relay/client/1'; // as the answer says then
  const got = [];
  void world.read(stream, got);
  await world.run(() => world.legs.length === 2);
  assert.equal(world.clock.now - since, 0);
  await world.pass(500);
  world.agent.say([1, 2, 3]); // it has come there already; nothing is read before the platform has said how far we are
  await world.pass(400);
  assert.deepEqual(got, []);
  await world.run(() => got.length === 3);
  assert.deepEqual([got, world.legs.length, world.asked.length], [[1, 2, 3], 2, 1]);
}

export async function leg_that_was_opened_in_vain_is_left() {
  const { world, stream } = await lost({ up: true });
  world.early = 'ws://relay/client/other';
  world.answers.push([503, { ...REFUSED, status: 503 }, {}], [410, { ...REFUSED, status: 410 }, {}]);
  await world.ended(stream);
  assert.equal(world.legs.length, 3);
  assert(world.legs.every(({ readyState }) => readyState >= 2));
}
