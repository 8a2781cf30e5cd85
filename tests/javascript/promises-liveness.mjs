// What protocol.rst, "Liveness", says of the client in JavaScript. The clock, the relay and the page are the test.

import assert from 'node:assert/strict';

import { answered, Clock, page, pings, pong, said, stream, turn } from './links.mjs';

export async function ping_is_offered_and_an_older_relay_never_asked() {
  const clock = new Clock();
  const old = await stream('streamrelay.v1');
  assert.deepEqual(old.relay.protocols, ['streamrelay.v1.ping', 'streamrelay.v1']);
  assert.equal(await said(clock, old), Infinity);
  assert.deepEqual(old.relay.sent, []);
}

export async function dead_link_is_told_within_20_s() {
  const clock = new Clock();
  const link = await answered(clock);
  const seconds = await said(clock, link);
  assert(seconds > 12 && seconds < 20, `${seconds} s`);
  assert.equal(link.relay.sent.length, 1);
  const { code, words, reason, transient, clean } = link.outcome;
  assert.deepEqual([code, transient, clean], [1006, true, false]);
  assert.deepEqual([words, reason], ['the connection to the relay broke', 'the relay does not answer']);
  assert.equal(link.relay.closed.length, 1);
  assert.equal(clock.look, null); // nothing is looked at any more
}

export async function dead_link_gives_what_has_come() {
  const clock = new Clock();
  const link = await answered(clock);
  link.relay.message(new TextEncoder().encode('the last words').buffer);
  await said(clock, link);
  const reader = link.stream.readable.getReader();
  assert.equal(new TextDecoder().decode((await reader.read()).value), 'the last words');
  await assert.rejects(reader.read(), /the connection to the relay broke/);
}

export async function answers_keep_a_quiet_link() {
  const clock = new Clock();
  const link = await answered(clock);
  const asked = [];
  clock.seconds(600, () => {
    for (const number of pings(link)) {
      asked.push(number);
      pong(link, number);
    }
  });
  await turn();
  assert.equal(link.outcome, null);
  assert(asked.length >= 40 && asked.length <= 50, `${asked.length} pings in ten minutes`);
}

export async function busy_link_is_never_asked() {
  const clock = new Clock();
  const link = await stream();
  clock.seconds(600, () => link.relay.message(new ArrayBuffer(1)));
  assert.deepEqual(pings(link), []);
  const slow = await stream();
  for (let second = 0; second < 600; second += 1) {
    clock.seconds(1);
    if (second % 10 === 0) slow.relay.message(new ArrayBuffer(1));
  }
  assert.deepEqual([slow.outcome, pings(slow)], [null, []]);
}

export async function answers_are_nobody_elses() {
  const clock = new Clock();
  const link = await stream();
  const reader = link.stream.items.getReader();
  clock.seconds(12);
  pong(link, pings(link)[0]);
  pong(link, 0);
  link.relay.message('{"exit":3}');
  assert.deepEqual((await reader.read()).value, { exit: 3 });
}

export async function slow_link_that_lives_is_never_cut() {
  const { online } = page();
  const clock = new Clock();
  const link = await answered(clock);
  // An answer comes behind all that is under way, however long that takes.
  for (let message = 0; message < 200; message += 1) {
    online();
    clock.seconds(4);
    link.relay.message(new ArrayBuffer(4096));
  }
  await turn();
  assert.equal(link.outcome, null);
  clock.seconds(16);
  link.relay.message(new ArrayBuffer(4096));
}

export async function sender_whose_ping_waits_is_not_cut() {
  const { online } = page();
  const clock = new Clock();
  const link = await answered(clock);
  for (let beat = 0; beat < 50; beat += 1) {
    pong(link, 0); // as the relay says at each of its beats, every 5 s or so
    online();
    clock.seconds(6);
  }
  await turn();
  assert.equal(link.outcome, null);
  const seconds = await said(clock, link);
  assert(seconds < 20, `${seconds} s`);
}

export async function sender_of_much_is_not_cut_before_it_is_told() {
  const { online } = page();
  const clock = new Clock();
  const link = await answered(clock);
  void link.stream.writable.getWriter().write(new Uint8Array(20_000));
  await turn();
  online();
  clock.seconds(9);
  await turn();
  assert.equal(link.outcome, null);
}

export async function answer_ends_the_patience() {
  const { online } = page();
  const clock = new Clock();
  const link = await answered(clock);
  pong(link, 0);
  online();
  pong(link, pings(link).at(-1));
  online();
  const seconds = await said(clock, link);
  assert(seconds <= 5, `${seconds} s`);
}

export async function network_that_comes_back_is_asked_for_at_once() {
  const { online } = page();
  const clock = new Clock();
  const link = await answered(clock);
  clock.seconds(3);
  online();
  const seconds = await said(clock, link);
  assert(seconds <= 5, `${seconds} s`);
  assert.equal(pings(link).length, 1);
}

export async function network_that_is_gone_is_noticed_and_one_that_is_another_is_not_cut() {
  const { offline } = page();
  const clock = new Clock();
  const link = await answered(clock);
  clock.seconds(3);
  offline();
  pong(link, pings(link).at(-1)); // as the relay is on this machine, or by another network
  clock.seconds(11);
  await turn();
  assert.equal(link.outcome, null);
  offline();
  const seconds = await said(clock, link);
  assert(seconds <= 5, `${seconds} s`);
}

export async function new_link_may_still_wait_for_its_host() {
  const { online } = page();
  const clock = new Clock();
  const link = await stream();
  online();
  clock.seconds(6);
  await turn();
  assert.equal(link.outcome, null);
  link.relay.message(new ArrayBuffer(1)); // it has come
  online();
  const seconds = await said(clock, link);
  assert(seconds <= 5, `${seconds} s`);
}

export async function what_was_under_way_is_no_answer() {
  const { online } = page();
  const clock = new Clock();
  const link = await answered(clock);
  clock.seconds(3);
  online();
  clock.seconds(1);
  link.relay.message(new ArrayBuffer(100)); // which lay in our kernel
  const seconds = await said(clock, link);
  assert(seconds <= 5, `${seconds} s`);
}

export async function waking_is_noticed() {
  const clock = new Clock();
  const link = await answered(clock);
  clock.seconds(3);
  clock.sleep(3600);
  const seconds = await said(clock, link);
  assert(seconds <= 5, `${seconds} s`);
}

export async function waking_cuts_nothing_that_lives() {
  const clock = new Clock();
  const link = await answered(clock);
  for (const pause of [4, 60, 3600, -7200, 86_400]) {
    clock.sleep(pause);
    clock.seconds(4);
    pong(link, pings(link).at(-1));
    clock.seconds(11);
  }
  await turn();
  assert.equal(link.outcome, null);
}

export async function hidden_page_is_neither_cut_nor_costs() {
  const { show, online } = page();
  const clock = new Clock();
  const link = await answered(clock);
  clock.seconds(11);
  show('hidden');
  assert.equal(clock.look, null);
  online();
  clock.seconds(3600);
  assert.deepEqual(pings(link), []);
  show('visible');
  const [number] = pings(link);
  clock.seconds(4);
  pong(link, number);
  await turn();
  assert.equal(link.outcome, null);
  show('hidden');
  show('visible');
  const seconds = await said(clock, link);
  assert(seconds <= 5, `${seconds} s`);
}

export async function hidden_from_the_start() {
  const { show } = page();
  show('hidden');
  const clock = new Clock();
  const link = await stream();
  assert.equal(clock.look, null);
  show('visible');
  assert.deepEqual(pings(link), [1]);
}

export async function one_timer_looks_at_all_links() {
  const clock = new Clock();
  let timers = 0;
  const interval = globalThis.setInterval;
  globalThis.setInterval = (...how) => {
    timers += 1;
    return interval(...how);
  };
  const links = [await stream(), await stream(), await stream()];
  assert.equal(timers, 1);
  links[0].stream.close();
  links[1].relay.tell('close', { code: 1000, reason: '' });
  clock.seconds(12);
  assert.deepEqual(
    links.map(({ relay }) => relay.sent.length),
    [0, 0, 1],
  );
  links[2].stream.close();
  assert.equal(clock.look, null);
}

export async function many_events_ask_once() {
  const { online } = page();
  const clock = new Clock();
  const link = await answered(clock);
  for (let event = 0; event < 1000; event += 1) online();
  assert.equal(pings(link).length, 1);
}
