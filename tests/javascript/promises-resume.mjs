// What protocol.rst, "Streams that resume", says of the client in JavaScript: what is said comes once and in order, wherever
// the network is cut. tests/web/test_javascript_promises.py runs each of these.

import assert from 'node:assert/strict';

import { Outgoing } from '../../streamrelay/web/streamrelay-resume.js';
import { failure } from './fakes.mjs';
import { chances, units, World } from './resuming.mjs';
import { WINDOW } from './resuming-ends.mjs';

const FIN = '{"fin":true}';
const END = '{"end":{"code":1000,"reason":""}}';

/** A conversation of both ends to the end of both; every position is looked at as it comes. */
async function talk({ seed, cuts, parts, hold = 120 }) {
  const world = new World({ seed, hold });
  const [up, down] = ['up', 'down'].map((way) => parts.flatMap((part) => part[way] ?? []));
  const expected = [...up, FIN, END];
  world.heard = (heard) => {
    assert.equal(heard.at(-1), expected[heard.length - 1], `position ${heard.length} at the agent`);
    if (world.chance() < 0.2) world.agent.confirm();
  };
  const stream = await world.open();
  world.cuts = cuts;
  const got = [];
  let [read, written] = [false, 0];
  const reading = world.read(stream, got).then(
    () => {
      world.taken += 1; // of the fin
      read = true;
    },
    (error) => {
      read = error;
    },
  );
  const writer = stream.writable.getWriter();
  for (const part of parts) {
    if (part.up) void writer.write(Uint8Array.from(part.up)).catch(() => {});
    if (part.down) world.agent.say(part.down);
    written += part.down?.length ?? 0;
    if (world.chance() < 0.5) await world.run(() => got.length === written);
    assert(stream.unconfirmed <= WINDOW + 4);
  }
  void writer.close();
  world.agent.say([FIN]);
  const outcome = await world.ended(stream);
  await reading;
  assert.equal(read, true);
  assert.deepEqual(got, down);
  assert.deepEqual(world.agent.heard, expected);
  assert.equal(world.legs.filter(({ readyState }) => readyState < 2).length, 0);
  // Whether its last word has come can't be known where the answer to it is lost.
  if (!outcome.clean) assert.match(outcome.reason, /the stream has ended/);
  return world;
}

const PARTS = [
  { up: units('abc'), down: units('hello') },
  { down: ['{"place":"p"}', ...units('wo'), '{"exit":3}'] },
  { up: units('defgh') },
];

export async function nothing_is_lost_or_doubled_by_a_cut_at_any_byte() {
  let lost = 0;
  for (const way of ['up', 'down'])
    for (let after = 0; after < 16; after += 1) {
      const world = await talk({ seed: after, cuts: [{ way, after }], parts: PARTS });
      lost += world.asked.length;
    }
  assert(lost >= 20, `only ${lost} legs were lost`);
}

export async function nothing_is_lost_or_doubled_by_two_cuts_at_any_bytes() {
  let lost = 0;
  for (const first of ['up', 'down'])
    for (const second of ['up', 'down'])
      for (let after = 0; after < 12; after += 1)
        for (let then = 0; then < 8; then += 1) {
          const cuts = [
            { way: first, after },
            { way: second, after: then },
          ];
          const world = await talk({ seed: after * 8 + then, cuts, parts: PARTS });
          lost += world.asked.length;
        }
  assert(lost >= 300, `only ${lost} legs were lost`);
}

export async function nothing_is_lost_or_doubled_by_many_cuts() {
  for (let seed = 1; seed <= 60; seed += 1) {
    const chance = chances(seed);
    const size = (most) => Math.floor(chance() ** 3 * most);
    const bytes = () => Array.from({ length: size(3000) }, () => Math.floor(chance() * 256));
    const parts = Array.from({ length: 12 }, () => ({
      ...(chance() < 0.7 && { up: bytes() }),
      ...(chance() < 0.7 && { down: [...bytes(), ...(chance() < 0.3 ? [`{"note":"${size(99)}"}`] : [])] }),
    }));
    const cuts = Array.from({ length: size(40) }, () => ({
      way: chance() < 0.5 ? 'up' : 'down',
      after: size(4000),
    }));
    await talk({ seed, cuts, parts });
  }
}

export function kept_bytes_are_those_that_were_said() {
  for (let seed = 1; seed <= 25; seed += 1) {
    const chance = chances(seed);
    const outgoing = new Outgoing();
    const said = [];
    for (let step = 0; step < 60; step += 1) {
      const bytes = Uint8Array.from({ length: Math.floor(chance() ** 6 * 9000) }, () => Math.floor(chance() * 256));
      if (chance() < 0.2) {
        outgoing.say(`{"resize":[${step},1]}`);
        said.push(`{"resize":[${step},1]}`);
      } else {
        outgoing.say(bytes);
        said.push(...bytes);
        bytes.fill(0); // its writer uses it again
      }
      assert.equal(outgoing.position, said.length);
      if (chance() < 0.3) outgoing.confirm(Math.floor(chance() * (said.length + 1)));
      const from = outgoing.confirmed + Math.floor(chance() * (outgoing.kept + 1));
      assert(outgoing.reaches(from) && !outgoing.reaches(said.length + 1) && !outgoing.reaches(outgoing.confirmed - 1));
      const again = [...outgoing.from(from)].flatMap((item) => (typeof item === 'string' ? [item] : [...item]));
      assert.deepEqual(again, said.slice(from));
    }
  }
}

export async function positions_are_those_of_the_protocol() {
  const world = new World();
  world.heard = () => {};
  const stream = await world.open();
  const writer = stream.writable.getWriter();
  const position = async (act, behind) => {
    await act();
    await world.run(() => world.agent.heard.length >= behind);
    assert.equal(world.agent.heard.length, behind);
  };
  await position(() => writer.write('abc'), 3);
  await position(() => stream.resize(80, 24), 4);
  world.agent.say(units('x'));
  const got = [];
  void world.read(stream, got);
  await world.pass(2000); // an ack is no position
  assert.deepEqual([world.agent.acked, world.agent.heard.length], [1, 4]);
  await position(() => writer.write('de'), 6);
  await position(() => writer.write('f'), 7);
  void writer.close();
  world.agent.near.down('{"ping":4}');
  world.agent.say([FIN]);
  await world.ended(stream);
  assert.deepEqual(world.agent.heard.slice(7), [FIN, END]);
  assert.deepEqual(got, [...units('x'), '{"ping":4}']); // as any message that this client doesn't know
}

export async function no_more_than_a_window_is_kept() {
  const world = new World();
  const stream = await world.open();
  const chunk = new Uint8Array(300_000).fill(7);
  const writer = stream.writable.getWriter();
  let written = 0;
  const writing = (async () => {
    for (let count = 0; count < 12; count += 1) {
      await writer.write(chunk);
      written += chunk.byteLength;
      assert(stream.unconfirmed <= WINDOW);
    }
  })();
  await world.pass(1000);
  assert(world.agent.heard.length > WINDOW - 65536 && world.agent.heard.length <= WINDOW);
  world.up = false;
  world.agent.near.cut(1006);
  await world.pass(5000);
  assert(stream.unconfirmed > WINDOW - 65536 && stream.unconfirmed <= WINDOW);
  world.up = true; // the agent says where it is, so nothing is kept; but its hands are as full as before
  await world.run(() => stream.unconfirmed === 0);
  await world.pass(5000);
  assert(world.agent.heard.length <= WINDOW);
  world.agent.confirm();
  await world.run(() => written > 2 * WINDOW - 600_000 && stream.unconfirmed > WINDOW - 65536);
  const timer = setInterval(() => world.agent.confirm(), 100);
  await world.run(() => world.agent.heard.length === 12 * chunk.byteLength);
  clearInterval(timer);
  await writing;
  assert(world.agent.heard.every((byte) => byte === 7));
}

export async function write_that_waits_for_room_is_told_of_the_end() {
  const world = new World();
  const stream = await world.open();
  const writing = failure(stream.writable.getWriter().write(new Uint8Array(2 * WINDOW)));
  await world.pass(1000);
  world.agent.near.cut(4003);
  let told = null;
  void writing.then((error) => {
    told = error.outcome.code;
  });
  await world.run(() => told);
  assert.equal(told, 4003);
}

export async function only_what_was_read_is_confirmed() {
  const world = new World();
  const stream = await world.open();
  world.agent.say(new Uint8Array(600 << 10));
  await world.pass(10_000);
  assert.equal(world.agent.acked, 0);
  assert.equal(world.agent.heard.length, 0); // nor is it asked to hold
  const got = [];
  const since = world.clock.now;
  void world.read(stream, got);
  await world.run(() => world.agent.acked >= 512 << 10);
  assert.equal(world.clock.now, since);
  await world.run(() => got.length === 600 << 10);
  await world.pass(1100);
  assert.equal(world.agent.acked, 600 << 10);
}

export async function ack_that_was_lost_with_its_leg_is_said_again() {
  const world = new World();
  const stream = await world.open();
  void world.read(stream);
  world.agent.say(units('x'));
  await world.run(() => world.agent.acked === 1);
  world.agent.acked = 0;
  world.agent.near.cut(1006);
  await world.run(() => world.agent.acked === 1);
}

export async function stream_that_is_looked_at_only_is_asked_for_as_such() {
  for (const view of [false, true]) {
    const world = new World();
    world.view = view; // whether that was wanted or no grant allows more
    await world.open({ zone: 'fra' });
    world.agent.near.cut(1006);
    await world.run(() => world.asked.length);
    assert.deepEqual([world.asked[0].view, world.asked[0].zone], [view || undefined, 'fra']);
  }
}

export async function what_was_read_without_a_leg_is_confirmed_by_the_next() {
  const world = new World();
  const stream = await world.open();
  world.agent.say(units('read later'));
  await world.pass(100);
  world.up = false;
  world.agent.near.cut(1006);
  await world.pass(100);
  void world.read(stream);
  await world.pass(3000);
  assert.equal(world.agent.acked, 0);
  world.up = true;
  await world.run(() => world.agent.near);
  await world.pass(1100);
  assert.equal(world.agent.acked, 10);
}

export async function quiet_stream_is_confirmed_within_a_second() {
  const world = new World();
  const stream = await world.open();
  void world.read(stream);
  for (let count = 1; count <= 3; count += 1) {
    const since = world.clock.now;
    world.agent.say(units('x'));
    await world.run(() => world.agent.acked === count);
    assert(world.clock.now - since <= 1000);
  }
}
