// What docs/console.rst, "Machines' screens", says of the pace of keys. The machine is the test.

import assert from 'node:assert/strict';

import { PacedKeys } from '../../streamrelay/web/viewers/spice-pace.js';

const HELD = 6;

/** Keys for a machine; `before` are motions that it hasn't answered yet. */
function paced(before = 0) {
  const sent = [];
  const about = { asked: 0, full: 0 };
  const keys = new PacedKeys({
    send: (way, code) => sent.push(`${way} ${code}`),
    ask: () => {
      about.asked += 1;
      return before;
    },
    full: () => {
      about.full += 1;
    },
  });
  return { keys, sent, about };
}

async function after(time) {
  await new Promise((later) => setTimeout(later, time));
}

/** No more keys are under way than the machine holds, whatever waits; it gets all of them, in order, as it takes them. */
export async function keys_wait_for_the_machine() {
  const { keys, sent, about } = paced();
  const all = Array.from({ length: 20 }, (_, number) => keys.put('Down', number));
  await after(100);
  assert.deepEqual([sent.length, about.asked], [HELD, 1]);
  for (let round = 0; round < 10; round += 1) {
    keys.answered();
    await after(30);
  }
  assert.deepEqual(await Promise.all(all), new Array(20).fill(true));
  assert.deepEqual(
    sent,
    Array.from({ length: 20 }, (_, number) => `Down ${number}`),
  );
}

/** An answer to motions that went before the keys says nothing of these. */
export async function keys_are_told_by_answers_behind_them() {
  const { keys } = paced(5);
  let got = null;
  const one = keys.put('Down', 1);
  void one.then((taken) => {
    got = taken;
  });
  keys.answered();
  await after(10);
  assert.equal(got, null);
  keys.answered();
  await after(10);
  assert.equal(got, true);
}

/** A server that answers none gets keys all the same, by the clock alone. */
export async function keys_go_where_nothing_answers() {
  const { keys, sent } = paced();
  const all = Array.from({ length: 40 }, (_, number) => keys.put('Down', number));
  assert.ok((await Promise.all(all)).every(Boolean));
  assert.equal(sent.length, 40);
}

/** Keys that the machine didn't get are known: with its end, and where too many wait; what is released is kept. */
export async function keys_lost_are_told() {
  const { keys, about } = paced();
  const all = Array.from({ length: 600 }, (_, number) => keys.put('Down', number));
  const released = keys.put('Up', 1);
  assert.ok(about.full > 0);
  let last = null;
  void released.then((taken) => {
    last = taken;
  });
  await after(10);
  assert.equal(last, null);
  keys.end();
  const got = await Promise.all([...all, released, keys.put('Down', 1)]);
  assert.ok(got.every((taken) => taken === false));
}
