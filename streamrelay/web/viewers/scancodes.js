// The keys of a PC's keyboard, by where they are and by what they type on one of the US: scan codes, set 1 (IBM PC AT
// Technical Reference). Where a key is, is its `code` (W3C, "UI Events KeyboardEvent code Values").

/** @type {[number, string][]} */
const PLACES = [
  // from a scan code on; a dot is none
  [0x01, 'Escape Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal Backspace'],
  [0x0f, 'Tab KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight Enter ControlLeft'],
  [0x1e, 'KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote Backquote ShiftLeft Backslash'],
  [0x2c, 'KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash ShiftRight NumpadMultiply AltLeft Space CapsLock'],
  [0x3b, 'F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 NumLock ScrollLock'],
  [0x47, 'Numpad7 Numpad8 Numpad9 NumpadSubtract Numpad4 Numpad5 Numpad6 NumpadAdd Numpad1 Numpad2 Numpad3 Numpad0'],
  [0x53, 'NumpadDecimal PrintScreen . IntlBackslash F11 F12 NumpadEqual'],
  [0x5d, 'F13 F14 F15'],
  [0x70, 'KanaMode Lang2 Lang1 IntlRo'],
  [0x79, 'Convert . NonConvert . IntlYen NumpadComma'],
  [0xe01c, 'NumpadEnter ControlRight'],
  [0xe035, 'NumpadDivide . . AltRight'],
  [0xe046, 'Pause Home ArrowUp PageUp . ArrowLeft . ArrowRight . End ArrowDown PageDown Insert Delete'],
  [0xe05b, 'MetaLeft MetaRight ContextMenu'],
];
/** @type {[number, string, string][]} */
const ROWS = [
  [0x02, '1234567890-=', '!@#$%^&*()_+'],
  [0x0f, '\t', ''],
  [0x10, 'qwertyuiop[]', 'QWERTYUIOP{}'],
  [0x1c, '\n', ''],
  [0x1e, "asdfghjkl;'`", 'ASDFGHJKL:"~'],
  [0x2b, '\\zxcvbnm,./', '|ZXCVBNM<>?'],
  [0x39, ' ', ''],
];
const AT = new Map(PLACES.flatMap(([first, names]) => names.split(' ').map((name, at) => [name, sent(first + at)])));

/** What is sent of a scan code: a prefix E0 goes first, in the low byte. */
function sent(code) {
  return code > 0xff ? ((code & 0xff) << 8) | (code >> 8) : code;
}

/** The code of the key at a place, whatever is written on it; 0 if no PC has such a key. */
export function scancodeAt(place) {
  return (place !== '.' && AT.get(place)) || 0;
}

export const CONTROL = scancodeAt('ControlLeft');
export const SHIFT = scancodeAt('ShiftLeft');
export const ALT = scancodeAt('AltLeft');
export const DELETE = scancodeAt('Delete');

/** A letter's key on a keyboard of the US; 0 if there is none. */
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
