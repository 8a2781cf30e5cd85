// The modules of the console that need no page; tests/live/console/test_modules.py runs these.

import assert from 'node:assert/strict';

import { Connection } from '../../streamrelay/web/console/connection.js';
import { Connections } from '../../streamrelay/web/console/connections.js';
import { Hosts } from '../../streamrelay/web/console/hosts.js';
import { address, named, unnamed } from '../../streamrelay/web/console/links.js';
import { isLog } from '../../streamrelay/web/console/viewers.js';
import { withoutEvents } from './fakes.mjs';

const changed = (source) => new Promise((awake) => source.addEventListener('change', awake, { once: true }));

/** A viewer that fails while its stream is open is told of, with its own words; the stream is left. */
export async function connection_viewer_fails() {
  let closed = 0;
  const link = {
    closed: Promise.reject(new Error('the viewer broke')),
    close: () => {
      closed += 1;
    },
  };
  link.closed.catch(() => {});
  const connection = new Connection(async () => link);
  connection.start();
  for (let looks = 0; connection.state !== 'over' && looks < 10; looks += 1) await changed(connection);
  assert.deepEqual([connection.state, connection.words, connection.tone], ['over', 'the viewer broke', 'bad']);
  assert.equal(closed, 1);
}

/** An answer without a list of hosts is a trouble as others are: the next question waits its seconds. */
export async function hosts_answer_without_list() {
  let asked = 0;
  globalThis.document = Object.assign(new EventTarget(), { baseURI: 'http://platform.example/', hidden: false });
  globalThis.addEventListener = () => {};
  withoutEvents();
  globalThis.fetch = () => {
    asked += 1;
    return Promise.resolve(Response.json({}));
  };
  const hosts = new Hosts({});
  const waits = [];
  globalThis.setTimeout = (_run, wait) => waits.push(wait);
  hosts.start();
  await changed(hosts);
  await new Promise(setImmediate);
  hosts.stop();
  assert.equal(asked, 1);
  assert(waits.at(-1) >= 3000, `the next question comes after ${waits.at(-1)} ms`);
  assert.equal(typeof hosts.trouble, 'string');
}

/** A target is a log if its name can be no other's: by itself, or by every pattern that it fits; what isn't known isn't. */
export async function hosts_names_of_logs() {
  globalThis.document = Object.assign(new EventTarget(), { baseURI: 'http://platform.example/', hidden: false });
  globalThis.addEventListener = () => {};
  const hosts = new Hosts({});
  const log = (host, name) => {
    const known = hosts.find(host, name);
    return known !== undefined && isLog(known);
  };
  assert.equal(log('h', 'app'), false); // nothing is known yet
  const target = (name, kind, viewer) => ({ name, kind, viewer });
  const targets = [
    ...[target('app', 'log', 'log'), target('journal', 'journal', 'log'), target('web', 'container', 'log')],
    ...[target('deploy', 'pty', 'terminal'), target('vm', 'qemu', 'vnc'), target('in', 'container', 'terminal')],
    ...[target('lines', 'tcp', 'log'), target('socket', 'unix', 'log'), target('new', 'brew', 'log')],
    ...[target('logs/{name}', 'log', 'log'), target('logs/run', 'pty', 'terminal')],
    ...[target('many/{a}', 'log', 'log'), target('many/{a}/{b}', 'log', 'log')],
    ...[target('any/{name}', 'log', 'log'), target('any/{number}', 'pty', 'terminal')],
  ];
  withoutEvents();
  globalThis.fetch = () => Promise.resolve(Response.json({ hosts: [{ host: 'h', targets }], complete: true }));
  hosts.start();
  await changed(hosts);
  const names = targets.map(({ name }) => name).filter((name) => !name.includes('{'));
  const logs = [...names, 'logs/a', 'many/1/2', 'any/1', 'none'].filter((name) => log('h', name));
  assert.deepEqual(logs, ['app', 'journal', 'web', 'logs/a', 'many/1/2']);
  assert.equal(log('other', 'app'), false);
  assert.equal(hosts.find('h', 'any/1'), undefined); // a log or a terminal
  assert.equal(hosts.find('h', 'many/1/2')?.kind, 'log');
  hosts.stop();
}

/** The connections of a tab of several logs are told as one: what isn't open by its name, and that alone is opened anew. */
export async function connections_several() {
  const [one, other] = [{ host: 'web-1' }, { host: 'web-2' }];
  const began = [];
  const told = [];
  const all = new Connections((of, { state }) => told.push(`${of.host} ${state}`));
  all.add(one, 'app on web-1', () => {
    began.push('one');
    return Promise.resolve({ closed: new Promise(() => {}), close: () => {} });
  });
  all.add(other, 'app on web-2', () => {
    began.push('other');
    const refused = { code: 'host_offline', transient: true, retryAfter: 1000 };
    return Promise.reject(Object.assign(new Error('host web-2 is offline'), refused));
  });
  assert.deepEqual([all.state, all.live], ['idle', false]);
  all.start();
  while (all.state !== 'waiting') await changed(all);
  assert.deepEqual(
    [all.words, all.tone, all.label],
    ['app on web-2: host web-2 is offline', 'bad', '1 of 2 connected'],
  );
  assert.deepEqual([all.live, all.seconds > 999], [true, true]);
  all.start();
  all.hurry((of) => of.host === 'web-1');
  assert.deepEqual(began, ['one', 'other', 'other']);
  while (all.state !== 'waiting') await changed(all);
  all.hurry((_of, error) => error?.code === 'host_offline');
  while (all.state !== 'waiting') await changed(all);
  assert.deepEqual(began, ['one', 'other', 'other', 'other']);
  all.remove(other);
  assert.deepEqual([all.state, all.words, all.label], ['open', '', '']);
  assert.equal(told.at(-1), 'web-2 over');
  all.restart();
  assert.deepEqual(began, ['one', 'other', 'other', 'other', 'one']);
  all.stop();
}

/** The address of a tab leads back to all of its logs, each once; one that names too many, or no target, to none. */
export function links_several() {
  const all = [
    { host: 'web-1', target: 'log/a@b:1+2' },
    { host: 'web.2', target: 'log' },
  ];
  assert.equal(address(all), '#web-1/log/a@b:1+2,web.2/log');
  assert.deepEqual(named(address(all)), all);
  assert.deepEqual(named(`${address(all)},web.2/log`), all);
  assert.deepEqual(named('#web-1/log'), [{ host: 'web-1', target: 'log' }]);
  const many = Array.from({ length: 33 }, (_, at) => ({ host: `web-${at}`, target: 'log' }));
  assert.equal(named(address(many.slice(1))).length, 32);
  for (const none of ['', '#', '#web-1', '#web-1/log,', '#web-1/log,,web-2/log', '#,', address(many)])
    assert.equal(named(none), null, none);
  assert.equal(unnamed(address(many)), 'This link names more than 32 logs.');
  assert.equal(unnamed('#web-1'), 'This link names no target.');
}
