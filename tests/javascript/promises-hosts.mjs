// How the console knows of hosts: tests/web/test_javascript_promises.py runs each of these.

import assert from 'node:assert/strict';

import { Fleet, orderOf } from '../../streamrelay/web/console/fleet.js';
import { Hosts } from '../../streamrelay/web/console/hosts.js';
import { Clock, turn } from './clock.mjs';
import { Events } from './fakes.mjs';

const entry = (host, state = 'up') => ({
  host,
  state,
  seen: null,
  version: '1',
  labels: {},
  targets: [],
  complete: true,
});
const names = ({ list }) => list?.map(({ host }) => host);

/** A platform with as many hosts, which answers by pages, and the list that a page has of it. */
function listed(count, clock = new Clock()) {
  const platform = { hosts: [], complete: true, asked: [], status: 200, held: Promise.resolve(), events: [] };
  for (let number = 1; number <= count; number += 1) platform.hosts.push(entry(`web-${number}`));
  const here = new EventTarget();
  globalThis.addEventListener = here.addEventListener.bind(here);
  globalThis.document = Object.assign(new EventTarget(), { baseURI: 'http://platform.example/', hidden: false });
  globalThis.EventSource = Events;
  Events.made = (events) => platform.events.push(events);
  globalThis.fetch = async (url) => {
    platform.asked.push(url.pathname + url.search);
    const answer = page(platform, url.searchParams);
    await platform.held;
    if (platform.status) return Response.json(answer, { status: platform.status });
    throw new TypeError('no');
  };
  const session = { over: (why) => platform.over(why), why: [] };
  platform.over = (why) => session.why.push(why);
  const hosts = new Hosts(session);
  const back = [];
  hosts.addEventListener('back', ({ detail }) => back.push([...detail]));
  const begin = async () => {
    for (let turns = 0; turns < 20; turns += 1) await turn(); // the first hosts are asked for before
    Events.last.tell('begin', numbers(platform));
    for (let turns = 0; turns < 20; turns += 1) await turn();
  };
  return { clock, platform, session, hosts, back, begin, here };
}

const numbers = ({ hosts, complete }) => {
  const down = hosts.filter(({ state }) => state === 'down').length;
  return { up: hosts.length - down, down, complete };
};

function page(platform, query) {
  if (platform.status !== 200) return { detail: 'not now', status: platform.status };
  const all = platform.hosts;
  const first = all.findIndex(({ host }) => host === query.get('after')) + 1;
  const hosts = all.slice(first, first + Number(query.get('limit')));
  const next = first + hosts.length < all.length ? hosts.at(-1).host : null;
  return { hosts, found: all.length, next, ...numbers(platform) };
}

/** Have a change happen at the platform, and be told. */
function change({ platform }, hosts, gone = []) {
  const others = platform.hosts.filter(({ host }) => !gone.includes(host) && !hosts.some((one) => one.host === host));
  platform.hosts = [...others, ...hosts];
  Events.last.tell('change', { hosts, gone, ...numbers(platform) });
}

export function hosts_stand_in_the_platforms_order() {
  const sorted = 'a a-1 A-02 a-2 a-10 a-10-b2 a-10-b10 a-11 a.b b9 b10 b99999999999999999999'.split(' ');
  const fleet = new Fleet();
  fleet.change(
    [...sorted].reverse().map((host) => entry(host)),
    [],
  );
  assert.deepEqual(names(fleet), sorted);
  assert.equal(orderOf('web-007') < orderOf('web-07'), true); // equal numbers: by their names
  fleet.change([entry('a-3'), entry('a-1', 'down')], ['a-10']);
  assert.deepEqual(names(fleet).slice(1, 6), ['a-1', 'A-02', 'a-2', 'a-3', 'a-10-b2']);
  assert.equal(fleet.list[1].state, 'down');
}

export async function first_hosts_are_asked_for_at_once_and_all_by_pages_when_changes_come() {
  const all = listed(2500);
  all.hosts.start();
  await all.clock.forward(500);
  assert.deepEqual([all.platform.asked.splice(0), all.hosts.list.length], [['/v1/hosts?state=all&limit=100'], 100]);
  assert.equal(Events.last.url, 'http://platform.example/v1/hosts/changes');
  let partly = '';
  all.hosts.addEventListener('change', () => {
    if (all.hosts.loading) partly ||= `${all.hosts.list.length} of ${all.hosts.up}`;
  });
  await all.begin();
  assert.deepEqual(all.platform.asked, [
    '/v1/hosts?state=all&limit=100',
    '/v1/hosts?state=all&limit=2000&after=web-100',
    '/v1/hosts?state=all&limit=2000&after=web-2100',
  ]);
  assert.deepEqual(
    [partly, all.hosts.loading, all.hosts.list.length, all.hosts.up],
    ['100 of 2500', false, 2500, 2500],
  );
  change(all, [entry('web-9', 'down'), entry('db-1')], ['web-2']);
  assert.deepEqual([names(all.hosts).slice(0, 3), all.hosts.up, all.hosts.down], [['db-1', 'web-1', 'web-3'], 2499, 1]);
  assert.deepEqual([all.hosts.isUp('web-9'), all.hosts.isUp('db-1'), all.back], [false, true, [['db-1']]]);
  all.hosts.stop();
  assert.deepEqual([all.hosts.list, Events.last.isOpen], [null, false]);
}

export async function change_counts_over_an_answer_that_was_asked_for_before_it() {
  const all = listed(3);
  all.hosts.start();
  await all.clock.forward(10);
  let go;
  all.platform.held = new Promise((settle) => {
    go = settle;
  });
  await all.begin(); // the answer is made, and on its way
  change(all, [entry('web-1', 'down'), entry('web-4')], ['web-2']);
  go();
  await all.clock.forward(10);
  assert.deepEqual(names(all.hosts), ['web-1', 'web-3', 'web-4']);
  assert.equal(all.hosts.isUp('web-1'), false);
  all.hosts.stop();
}

export async function what_went_unheard_is_gone_after_the_next_load_unless_the_platform_does_not_know() {
  const all = listed(3);
  all.hosts.start();
  await all.begin();
  all.platform.hosts.pop();
  all.platform.complete = false;
  Events.last.fail();
  await all.clock.forward(1500);
  await all.begin();
  assert.deepEqual(names(all.hosts), ['web-1', 'web-2', 'web-3']);
  assert.match(all.hosts.trouble, /^not all hosts are known yet/);
  all.platform.complete = true;
  change(all, []);
  await all.clock.forward(100);
  assert.deepEqual([names(all.hosts), all.hosts.trouble], [['web-1', 'web-2'], '']);
  all.hosts.stop();
}

export async function list_is_not_whole_if_one_of_its_pages_is_not() {
  const all = listed(150);
  all.hosts.start();
  await all.begin();
  all.platform.hosts.shift();
  const isWhole = () => all.platform.asked.at(-1).includes('after'); // the first is of a platform that has just started
  Object.defineProperty(all.platform, 'complete', { get: isWhole });
  Events.last.fail();
  await all.clock.forward(1500);
  await all.begin();
  assert.match(all.platform.asked.at(-1), /after=/);
  assert.deepEqual([all.hosts.list.length, /^not all hosts/.test(all.hosts.trouble)], [150, true]);
  all.hosts.stop();
}

export async function changes_that_break_off_are_listened_to_again_and_all_is_asked_for_again() {
  const all = listed(150);
  all.hosts.start();
  await all.begin();
  const broken = Events.last;
  broken.dispatchEvent(Object.assign(new Event('change'), { data: '{"hosts":' })); // a line that was cut
  assert.equal(broken.isOpen, false);
  await all.clock.forward(1500);
  assert.notEqual(Events.last, broken);
  await all.begin();
  assert.equal(all.platform.asked.length, 5);
  all.platform.status = 0;
  Events.last.fail();
  await all.clock.forward(3000);
  assert.equal(all.hosts.trouble, "the platform can't be reached");
  assert.equal(all.hosts.list.length, 150);
  all.platform.status = 200;
  await all.clock.forward(5000);
  await all.begin();
  assert.equal(all.hosts.trouble, '');
  assert.equal(all.back.flat().length, 150); // its hosts needn't be waited for any longer
  all.hosts.stop();
}

export async function platform_whose_changes_do_not_come_is_asked_again_and_again() {
  for (const [count, pause] of [
    [10, 3000],
    [1001, 15_000],
  ]) {
    const all = listed(count);
    Events.made = (events) => queueMicrotask(() => events.fail());
    all.hosts.start();
    await all.clock.forward(100);
    const asked = all.platform.asked.length;
    await all.clock.forward(pause - 200);
    assert.equal(all.platform.asked.length, asked, 'not before');
    await all.clock.forward(400);
    assert(all.platform.asked.length > asked, `every ${pause} ms`);
    all.hosts.stop();
  }
}

export async function list_does_not_wait_long_for_changes_and_is_right_when_they_come_late() {
  const all = listed(2);
  all.hosts.start();
  await all.clock.forward(1100);
  assert.deepEqual(names(all.hosts), ['web-1', 'web-2']);
  all.platform.hosts.pop();
  await all.begin();
  assert.deepEqual(names(all.hosts), ['web-1']);
  const asked = all.platform.asked.length;
  await all.clock.forward(15_000);
  assert.equal(all.platform.asked.length, asked); // it listens
  all.hosts.stop();
}

export async function link_that_died_unheard_is_found_out_by_the_numbers() {
  const all = listed(3);
  all.hosts.start();
  await all.begin();
  all.platform.hosts.pop();
  await all.clock.forward(41_000);
  assert.equal(all.platform.events.length, 2);
  assert(all.platform.asked.includes('/v1/hosts?state=all&limit=1'));
  await all.begin();
  assert.deepEqual(names(all.hosts), ['web-1', 'web-2']);
  await all.clock.forward(200_000); // and while all is well nothing else is asked
  assert.equal(all.platform.events.length, 2);
  all.hosts.stop();
}

export async function page_that_nobody_sees_hears_and_asks_nothing() {
  const all = listed(3);
  all.hosts.start();
  await all.begin();
  document.hidden = true;
  document.dispatchEvent(new Event('visibilitychange'));
  const asked = all.platform.asked.length;
  await all.clock.forward(600_000);
  assert.deepEqual([all.platform.asked.length, Events.last.isOpen], [asked, false]);
  all.platform.hosts.shift();
  document.hidden = false;
  document.dispatchEvent(new Event('visibilitychange'));
  await all.begin();
  assert.deepEqual(names(all.hosts), ['web-2', 'web-3']);
  all.hosts.stop();
}

export async function session_is_over_when_two_questions_in_a_row_say_so() {
  const all = listed(3);
  all.hosts.start();
  await all.begin();
  all.platform.status = 401;
  Events.last.tell('over', { status: 401, detail: 'the session is over' });
  all.platform.status = 200;
  await all.clock.forward(10);
  await all.begin();
  assert.deepEqual(all.session.why, []);
  all.platform.status = 401;
  Events.last.fail();
  Events.made = (events) => queueMicrotask(() => events.fail());
  await all.clock.forward(2000);
  assert.match(all.session.why[0], /^Your session is over/);
  all.hosts.stop();
}

export async function lost_bus_is_told_and_hosts_are_back_when_it_is() {
  const all = listed(2);
  all.hosts.start();
  await all.begin();
  Events.last.tell('trouble', { status: 503, code: 'bus_down', detail: 'the connection to NATS is lost' });
  assert.deepEqual([all.hosts.trouble, names(all.hosts)], ['the connection to NATS is lost', ['web-1', 'web-2']]);
  all.platform.complete = false;
  change(all, [entry('web-1')]);
  assert.deepEqual([all.hosts.trouble, all.back], ['the connection to NATS is lost', [['web-1']]]);
  all.platform.complete = true;
  change(all, [entry('web-2')]);
  await all.clock.forward(10);
  assert.equal(all.hosts.trouble, '');
  assert(all.back.flat().includes('web-2'));
  const told = all.back.length;
  change(all, [entry('web-2')]);
  assert.equal(all.back.length, told); // it was up before
  Events.last.tell('over', { status: 503, detail: 'the platform stops' });
  assert.equal(all.hosts.trouble, 'the platform stops');
  all.hosts.stop();
}

export async function user_whose_grants_have_changed_sees_what_they_may_see_at_once() {
  const all = listed(3);
  all.hosts.start();
  await all.begin();
  all.platform.hosts.shift();
  Events.last.tell('over', { status: 409, code: 'changed', detail: 'what this user may see has changed' });
  await all.begin();
  assert.deepEqual([names(all.hosts), all.hosts.trouble, all.back], [['web-2', 'web-3'], '', []]);
  all.hosts.stop();
}
