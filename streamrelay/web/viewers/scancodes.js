// The keys of a PC's keyboard of the US by what they type: scan codes, set 1 (IBM PC AT Technical Reference).

const ROWS = [
  [0x02, '1234567890-=', '!@#$%^&*()_+'],
  [0x10, 'qwertyuiop[]', 'QWERTYUIOP{}'],
  [0x1e, "asdfghjkl;'`", 'ASDFGHJKL:"~'],
  [0x2b, '\\zxcvbnm,./', '|ZXCVBNM<>?'],
  [0x39, ' ', ''],
];

export const CONTROL = 0x1d;
export const SHIFT = 0x2a;
export const ALT = 0x38;
export const DELETE = 0x53e0; // behind the prefix E0, which goes first

/** A letter's key; 0 if there is none. */
export function scancode(letter) {
  for (const [first, ...sides] of ROWS) {
    const at = Math.max(...sides.map((side) => side.indexOf(letter)));
    if (at >= 0) return first + at;
  }
  return 0;
}

/** The code of a key's release. */
export function released(code) {
  return code > 0xff ? code | 0x8000 : code | 0x80;
}
