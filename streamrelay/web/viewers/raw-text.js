// Bytes as text for people: readable, in hex, and back.

const CONTROL_PICTURES = 0x2400;
const LATIN = Array.from({ length: 256 }, (_, byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'));
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** As UTF-8, controls but for tabs and line ends as their pictures, and what isn't UTF-8 as U+FFFD. */
export function plain(bytes) {
  return new TextDecoder()
    .decode(bytes)
    .replace(/\r\n/g, '\n')
    .replace(
      // eslint-disable-next-line no-control-regex
      /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g,
      pictured,
    );
}

/** A control character's picture; U+FFFD for what has none. */
export function pictured(letter) {
  const code = letter.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(CONTROL_PICTURES + code);
  return code === 0x7f ? '\u2421' : '\ufffd';
}

/**
 * Rows of 16 bytes: where they stand, in hex, and as ASCII.
 *
 * @param {Uint8Array} bytes
 * @param {number} start - where the first one stands, a multiple of 16
 */
export function hexRows(bytes, start) {
  const rows = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const place = (start + at).toString(16).padStart(8, '0');
    rows.push(`${place}  ${hex(row).padEnd(47)}  ${Array.from(row, (byte) => LATIN[byte]).join('')}\n`);
  }
  return rows.join('');
}

function hex(bytes) {
  return Array.from(bytes, (byte) => HEX[byte]).join(' ');
}

/** The bytes of hex digits, with or without blanks, commas, colons or 0x; null if it is something else. */
export function parseHex(text) {
  const digits = text.replace(/0x/gi, '').replace(/[\s,:]/g, '');
  if (!digits || digits.length % 2 || !/^[0-9a-f]+$/i.test(digits)) return null;
  return Uint8Array.from(digits.match(/../g), (pair) => parseInt(pair, 16));
}
