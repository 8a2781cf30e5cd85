// The console: sign in, pick a target of a host, see what it says. Everything a target sends is shown as text.

const KEPT = 400_000; // characters of output that stay on the page
const OUTCOMES = {
  1000: 'ended', 1001: 'the relay is going away', 1002: 'protocol error', 1006: 'the connection to the relay broke',
  1007: 'text that is not UTF-8', 1008: 'too many control messages', 1009: 'a message that is too big',
  1011: 'an error in the relay or the agent', 1013: 'overloaded, try again',
  4001: 'the target refused the connection', 4002: "the target can't be reached", 4003: 'the target reset the connection',
  4004: "the host's agent did not come", 4005: 'the host was lost', 4006: 'ended by an operator',
  4008: 'idle too long', 4009: 'lived too long', 4011: 'byte quota used up',
};

// Terminal escapes, then whatever control characters are left: what is copied from here may be pasted in a terminal.
// eslint-disable-next-line no-control-regex
const ESCAPES = /\x1b(\[[0-9;?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(\x07|\x1b\\))|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

const $ = (id) => document.getElementById(id);
let socket = null;
let decoder = null;
let listed = '';
let csrf = ''; // of this page's session; the session itself is in a cookie that no script can read
let round = 0; // of the polling; who signs in or out begins another

async function ask(method, path, body) {
  const headers = { Accept: 'application/json' };
  if (csrf && method !== 'GET') headers['X-CSRF-Token'] = csrf;
  if (body) headers['Content-Type'] = 'application/json';
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  if (response.status === 204) return null;
  const answer = await response.json();
  if (response.ok) return answer;
  if (response.status === 401) signedOut();
  throw new Error(answer.detail);
}

function signedIn(session) {
  csrf = session.csrf;
  $('user').textContent = session.user;
  $('signout').hidden = !csrf;
  $('signin').hidden = true;
  list(++round);
}

function signedOut() {
  csrf = '';
  round += 1;
  show([]);
  $('signout').hidden = true;
  $('signin').hidden = false;
}

async function list(mine) {
  if (mine !== round) return;
  try {
    const { hosts } = await ask('GET', '/v1/hosts');
    if (mine !== round) return;
    say('status', hosts.length ? `${hosts.length} host${hosts.length > 1 ? 's' : ''} up` : 'no host is up');
    show(hosts);
  } catch (error) {
    say('status', error.message);
  }
  if (mine === round) setTimeout(list, 3000, mine);
}

function say(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function show(hosts) {
  const now = JSON.stringify(hosts);
  if (now === listed) return;
  listed = now;
  $('hosts').replaceChildren(...hosts.flatMap(({ host, targets }) => {
    const heading = document.createElement('h2');
    heading.textContent = host;
    const items = document.createElement('ul');
    items.append(...targets.map((target) => entry(host, target)));
    return [heading, items];
  }));
}

function entry(host, { name, kind }) {
  const item = document.createElement('li');
  const button = document.createElement('button');
  const mark = document.createElement('span');
  mark.className = 'kind';
  mark.textContent = kind;
  button.append(name, mark);
  button.addEventListener('click', () => choose(host, name));
  item.append(button);
  return item;
}

function choose(host, name) {
  const filled = name.replace(/\{(\w+)\}/g, (all, part) => prompt(`${part}?`) ?? all);
  if (!filled.includes('{')) open(host, filled);
}

async function open(host, target) {
  close();
  $('stream').hidden = false;
  $('title').textContent = `${target} on ${host}`;
  $('output').textContent = '';
  $('send').hidden = true;
  say('state', 'opening …');
  try {
    const { url, kind } = await ask('POST', '/v1/streams', { host, target });
    connect(url, kind);
  } catch (error) {
    say('state', error.message);
  }
}

function connect(url, kind) {
  const mine = new WebSocket(url, ['streamrelay.v1']);
  socket = mine;
  mine.binaryType = 'arraybuffer';
  decoder = new TextDecoder();
  mine.addEventListener('open', () => {
    if (mine !== socket) return;
    say('state', 'connected');
    $('send').hidden = kind === 'log';
    if (kind !== 'log') $('line').focus();
  });
  mine.addEventListener('message', ({ data }) => {
    if (mine !== socket) return;
    if (typeof data !== 'string') print(decoder.decode(data, { stream: true }));
    else control(JSON.parse(data));
  });
  mine.addEventListener('close', ({ code, reason }) => {
    if (mine !== socket) return;
    socket = null;
    $('send').hidden = true;
    const words = OUTCOMES[code] ?? `closed with ${code}`;
    say('state', reason && code !== 1000 ? `${words} (${reason})` : words);
  });
}

function control({ exit, eof }) {
  if (exit !== undefined) print(`\n[the command ended with status ${exit}]\n`);
  if (eof && socket) socket.send('{"eof":true}');
}

function print(text) {
  const output = $('output');
  const following = output.scrollHeight - output.scrollTop - output.clientHeight < 40;
  output.append(text.replace(ESCAPES, ''));
  if (output.textContent.length > 2 * KEPT) output.textContent = output.textContent.slice(-KEPT);
  if (following) output.scrollTop = output.scrollHeight;
}

function close() {
  const open = socket;
  socket = null;
  open?.close(1000);
}

$('signin').addEventListener('submit', async (event) => {
  event.preventDefault();
  const key = $('key').value.trim();
  $('key').value = '';
  try {
    signedIn(await ask('POST', '/v1/session', { key }));
  } catch (error) {
    say('status', error.message);
  }
});
$('signout').addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    await ask('DELETE', '/v1/session');
    close();
    $('stream').hidden = true;
    signedOut();
    say('status', 'signed out');
  } catch (error) {
    say('status', error.message);
  }
});
$('send').addEventListener('submit', (event) => {
  event.preventDefault();
  socket?.send(new TextEncoder().encode(`${$('line').value}\n`));
  $('line').value = '';
});
$('close').addEventListener('click', () => {
  close();
  $('stream').hidden = true;
});
ask('GET', '/v1/session').then(signedIn, (error) => say('status', error.message));
