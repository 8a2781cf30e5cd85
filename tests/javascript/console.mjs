// The modules of the console that need no page; tests/live/console/test_modules.py runs these.

import assert from 'node:assert/strict';

import { Connection } from '../../streamrelay/web/console/connection.js';
import { Hosts } from '../../streamrelay/web/console/hosts.js';
import { isLog } from '../../streamrelay/web/console/viewers.js';

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
  assert(waits[0] >= 3000, `the next question comes after ${waits[0]} ms`);
  assert.equal(typeof hosts.trouble, 'string');
}

/** A target is a log if its name can be no other's: by itself, or by every pattern that it fits; what isn't known isn't. */
export function hosts_names_of_logs() {
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
  hosts.list = [{ host: 'h', targets, away: false }];
  const names = targets.map(({ name }) => name).filter((name) => !name.includes('{'));
  const logs = [...names, 'logs/a', 'many/1/2', 'any/1', 'none'].filter((name) => log('h', name));
  assert.deepEqual(logs, ['app', 'journal', 'web', 'logs/a', 'many/1/2']);
  assert.equal(log('other', 'app'), false);
  assert.equal(hosts.find('h', 'any/1'), undefined); // a log or a terminal
  assert.equal(hosts.find('h', 'many/1/2')?.kind, 'log');
}
