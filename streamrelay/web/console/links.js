// What leads to a target: the page's own link, and the command of the native client. Neither holds a secret.

const base = () => new URL('.', document.baseURI).href;

const encode = (text) => encodeURIComponent(text).replace(/%(2F|3A|40|2B)/g, decodeURIComponent); // "/", ":", "@", "+"

/** The part of the address behind the page's: ``#host/target``. */
export function fragment(host, target) {
  return `#${encode(host)}/${encode(target)}`;
}

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

export function link(host, target) {
  return base() + fragment(host, target);
}

/** A line for a POSIX shell. */
export function command(host, target) {
  return ['streamrelay', 'connect', '--platform', base().replace(/\/$/, ''), host, target].map(quote).join(' ');
}

function quote(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
