// When the console tries again: tests/web/test_javascript_promises.py runs each of these.

import assert from 'node:assert/strict';

import { Connection } from '../../streamrelay/web/console/connection.js';
import { Hosts } from '../../streamrelay/web/console/hosts.js';
import { Clock, turn } from './clock.mjs';
import { withoutEvents } from './fakes.mjs';

const BROKE = { code: 1006, words: 'the connection to the relay broke', reason: '', clean: false, transient: true };

/** A relay that is up or not, and a tab's connection to it. */
function opened(clock) {
  const relay = { up: true, tries: [], break: null };
  const opens = () => {
    relay.tries.push(clock.now);
    if (!relay.up) return Promise.reject(Object.assign(new Error('no'), { outcome: BROKE }));
    const closed = new Promise((end) => {
      relay.break = () => end(BROKE);
    });
    return Promise.resolve({ closed, close() {} });
  };
  const connection = new Connection(opens);
  connection.start();
  return { relay, connection };
}

export async function first_try_after_a_stream_that_stood_is_at_once() {
  for (const chance of [0, 0.999]) {
    const clock = new Clock(chance);
    const { relay, connection } = opened(clock);
    await clock.forward(5000);
    relay.break();
    await clock.forward(500);
    assert.equal(connection.state, 'open');
    assert.equal(relay.tries.length, 2);
  }
}

export async function restart_shortly_after_a_restart_costs_no_more() {
  const clock = new Clock();
  const { relay, connection } = opened(clock);
  for (let restart = 0; restart < 5; restart += 1) {
    await clock.forward(3500);
    relay.up = false;
    relay.break();
    await clock.forward(2000);
    relay.up = true;
    const since = clock.now;
    while (connection.state !== 'open') await clock.forward(100);
    assert(clock.now - since <= 2500, `restart ${restart}: ${clock.now - since} ms`);
  }
}

export async function waits_grow_to_ten_seconds() {
  const clock = new Clock();
  const { relay } = opened(clock);
  await clock.forward(5000);
  relay.up = false;
  relay.break();
  await clock.forward(60_000);
  const waits = relay.tries.slice(1).map((at, place, all) => at - (all[place - 1] ?? 5000));
  assert.deepEqual(waits.slice(0, 8), [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
}

export async function tries_of_many_pages_are_spread() {
  const waits = [];
  for (const chance of [0, 0.25, 0.5, 0.75, 0.999]) {
    const clock = new Clock(chance);
    const { relay } = opened(clock);
    await clock.forward(5000);
    relay.up = false;
    relay.break();
    await clock.forward(20_000);
    waits.push(clock.waits);
  }
  for (let at = 0; at < 5; at += 1) assert.equal(new Set(waits.map((all) => all[at])).size, 5, `try ${at}`);
}

export async function streams_that_never_stand_are_waited_for() {
  const clock = new Clock();
  const { relay } = opened(clock);
  for (let second = 0; second < 60; second += 0.5) {
    await clock.forward(500);
    relay.break(); // as soon as it is open
  }
  assert(relay.tries.length < 14, `${relay.tries.length} tries in a minute`);
}

export async function refusal_at_first_is_not_asked_again_at_once() {
  const clock = new Clock(0);
  const relay = { tries: 0 };
  const connection = new Connection(() => {
    relay.tries += 1;
    return Promise.reject(Object.assign(new Error('busy'), { transient: true, retryAfter: relay.tries === 2 ? 7 : 0 }));
  });
  connection.start();
  await turn();
  await clock.forward(300);
  assert.equal(relay.tries, 1);
  await clock.forward(200);
  assert.equal(relay.tries, 2);
  await clock.forward(6800);
  assert.equal(relay.tries, 2); // as long as it was told
  connection.stop();
}

export async function news_begin_the_waits_anew() {
  const clock = new Clock();
  const { relay, connection } = opened(clock);
  await clock.forward(5000);
  relay.up = false;
  relay.break();
  await clock.forward(30_000);
  const before = relay.tries.length;
  connection.hurry();
  await clock.forward(1600);
  assert.equal(relay.tries.length, before + 3);
}

/** The list of hosts of a platform that answers or not. */
function listed() {
  const platform = { up: true, hosts: ['a', 'b'], asked: [] };
  globalThis.document = Object.assign(new EventTarget(), { baseURI: 'http://platform.example/', hidden: false });
  globalThis.addEventListener = () => {};
  globalThis.fetch = () => {
    if (!platform.up) return Promise.reject(new TypeError('no'));
    return Promise.resolve(
      Response.json({ hosts: platform.hosts.map((host) => ({ host, targets: [] })), complete: true }),
    );
  };
  withoutEvents();
  const hosts = new Hosts({});
  const back = [];
  hosts.addEventListener('back', ({ detail }) => back.push([...detail]));
  hosts.start();
  return { platform, hosts, back };
}

export async function platform_that_is_back_is_told() {
  const clock = new Clock();
  const { platform, hosts, back } = listed();
  await clock.forward(4000);
  assert.deepEqual(back, []);
  platform.up = false;
  await clock.forward(120_000);
  assert.equal(hosts.trouble, "the platform can't be reached");
  platform.up = true;
  await clock.forward(6000);
  assert.deepEqual([hosts.trouble, back], ['', [['a', 'b']]]);
  hosts.stop();
}

export async function host_that_is_back_is_told() {
  const clock = new Clock();
  const { platform, hosts, back } = listed();
  await clock.forward(4000);
  platform.hosts = ['a'];
  await clock.forward(20_000);
  platform.hosts = ['a', 'b', 'c'];
  await clock.forward(6000);
  assert.deepEqual(back, [['b', 'c']]);
  hosts.stop();
}

/** A stream that resumes, or not, as the test says. */
class Resuming extends EventTarget {
  detached = null;
  hurried = 0;
  #ends = (_outcome) => {};
  closed = new Promise((end) => {
    this.#ends = end;
  });

  lose() {
    this.detached = { since: 0, until: 120_000 };
    this.dispatchEvent(new Event('detached'));
  }

  come() {
    this.detached = null;
    this.dispatchEvent(new Event('attached'));
  }

  end() {
    this.detached = null;
    this.#ends(BROKE);
  }

  hurry() {
    this.hurried += 1;
  }
}

export async function stream_that_resumes_is_not_opened_anew_unless_it_ends() {
  const clock = new Clock();
  const streams = [];
  const connection = new Connection(() => {
    const stream = new Resuming();
    streams.push(stream);
    return Promise.resolve({ stream, closed: stream.closed, close() {} });
  });
  const states = [];
  connection.addEventListener('change', () => states.push(connection.state));
  connection.start();
  await clock.forward(5000);
  streams[0].lose();
  await clock.forward(400);
  streams[0].come(); // too soon to be told
  await clock.forward(5000);
  streams[0].lose();
  await clock.forward(60_000);
  assert.equal(connection.state, 'detached');
  connection.hurry();
  assert.equal(streams[0].hurried, 1);
  streams[0].come();
  await clock.forward(5000);
  assert.deepEqual([states, streams.length], [['opening', 'open', 'detached', 'open'], 1]);
  streams[0].lose();
  await clock.forward(60_000);
  streams[0].end(); // as it wasn't resumed
  await clock.forward(1000);
  assert.deepEqual([states.slice(4), streams.length], [['detached', 'waiting', 'opening', 'open'], 2]);
}
