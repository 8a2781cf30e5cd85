// What leads to a target: the page's own link, and the command of the native client. Neither holds a secret.

const base = () => new URL('.', document.baseURI).href;

const encode = (text) => encodeURIComponent(text).replace(/%(2F|3A|40|2B)/g, decodeURIComponent); // "/", ":", "@", "+"

/** The part of the address behind the page's: ``#host/target``. */
export function fragment(host, target) {
  return `#${encode(host)}/${encode(target)}`;
}

/** So many logs may a link name, and a tab have, as its address is one. */
export const MOST = 32;

/** The same of what one tab has, which is several logs perhaps: ``#host/target,host/target``. No name has a comma. */
export function address(all) {
  return `#${all.map(({ host, target }) => fragment(host, target).slice(1)).join(',')}`;
}

/** What such an address names, each once; null if it is none. */
export function named(text) {
  const parts = text
    .replace(/^#/, '')
    .split(',')
    .slice(0, MOST + 1);
  const all = [...new Set(parts)].map(parse);
  return all.length <= MOST && all.every(Boolean) ? all : null;
}

/** Why an address names nothing that can be shown. */
export const unnamed = (text) =>
  text.split(',').length > MOST ? `This link names more than ${MOST} logs.` : 'This link names no target.';

const HOST = /^(?=.{1,253}$)[\w-]{1,64}(?:\.[\w-]{1,64})*$/;
const TARGET = /^[\w.:@+-]+(?:\/[\w.:@+-]+)*$/;

/** The host and the target of a fragment; null if it names none that can be: a link's words stand on the page. */
export function parse(text) {
  const [, host, target] = /^#?\/?([^/]+)\/(.+)$/.exec(text) ?? [];
  try {
    const named = { host: decodeURIComponent(host ?? ''), target: decodeURIComponent(target ?? '') };
    return HOST.test(named.host) && named.target.length <= 256 && TARGET.test(named.target) ? named : null;
  } catch {
    return null; // a percent sign that encodes nothing
  }
}

export function link(all) {
  return base() + address(all);
}

/** A line for a POSIX shell. */
export function command(host, target) {
  return ['streamrelay', 'connect', '--platform', base().replace(/\/$/, ''), host, target].map(quote).join(' ');
}

function quote(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
