// Scan codes, and the keys that are held; tests/live/viewers/test_viewers_keys.py runs these.

import assert from 'node:assert/strict';

import known from '../../streamrelay/web/third-party/novnc/core/input/xtscancodes.js';
import { DELETE, released, scancode, scancodeAt } from '../../streamrelay/web/viewers/scancodes.js';
import { Keys } from '../../streamrelay/web/viewers/spice-keys.js';

const KEYBOARD = `Escape F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 F11 F12 PrintScreen ScrollLock Pause Backquote Digit1 Digit2
  Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal Backspace Tab KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI
  KeyO KeyP BracketLeft BracketRight Backslash CapsLock KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote Enter
  ShiftLeft IntlBackslash KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash ShiftRight ControlLeft MetaLeft AltLeft
  Space AltRight MetaRight ContextMenu ControlRight Insert Home PageUp Delete End PageDown ArrowUp ArrowLeft ArrowDown
  ArrowRight NumLock NumpadDivide NumpadMultiply NumpadSubtract Numpad7 Numpad8 Numpad9 NumpadAdd Numpad4 Numpad5 Numpad6
  Numpad1 Numpad2 Numpad3 NumpadEnter Numpad0 NumpadDecimal IntlRo IntlYen KanaMode Convert NonConvert Lang1 Lang2
  NumpadEqual NumpadComma F13 F14 F15`.split(/\s+/);

/** Every key of a PC's keyboard has the code that noVNC's table has, and nothing else has one. */
export function scancodes_all() {
  for (const place of KEYBOARD) {
    const code = known[place];
    assert.equal(scancodeAt(place), code > 0xff ? 0xe0 | ((code & 0xff) << 8) : code, place);
  }
  for (const none of ['', '.', 'Unidentified', 'LaunchMail', 'toString']) assert.equal(scancodeAt(none), 0, none);
  for (const letter of 'abcdefghijklmnopqrstuvwxyz') {
    assert.equal(scancode(letter), scancodeAt(`Key${letter.toUpperCase()}`));
  }
  assert.deepEqual([DELETE, released(DELETE), released(0x2c)], [0x53e0, 0xd3e0, 0xac]);
}

const flags = { shiftKey: false, ctrlKey: false, altKey: false, metaKey: false };

/** Each of `[type, code, more, wanted]`: an event, and what is sent upon it. */
function play(steps) {
  const sent = [];
  const keys = new Keys((way, code) => sent.push(`${way} ${code.toString(16)}`));
  steps.forEach(([type, code, more, wanted], number) => {
    sent.length = 0;
    let prevented = 0;
    const event = { type, code, key: '', timeStamp: number * 1000, ...flags, ...more };
    keys.take({
      ...event,
      getModifierState: (name) => name === more.graph,
      preventDefault: () => {
        prevented += 1;
      },
    });
    assert.deepEqual(sent, wanted, `${number}: ${type} ${code}`);
    assert.equal(prevented, Number(Boolean(wanted.length || more.quiet)), `${number}: ${type} ${code}`);
  });
  sent.length = 0;
  keys.release();
  return sent;
}

/** Where a key is counts, not what is written on it; it may repeat; keys that are held are released with the focus. */
export function keys_by_place() {
  const left = play([
    ['keydown', 'KeyZ', { key: 'y', keyCode: 89 }, ['Down 2c']],
    ['keydown', 'KeyZ', { key: 'y', keyCode: 89, repeat: true }, ['Down 2c']],
    ['keyup', 'KeyZ', { key: 'y', keyCode: 89 }, ['Up ac']],
    ['keydown', 'Semicolon', { key: 'ö', keyCode: 192 }, ['Down 27']],
    ['keyup', 'Semicolon', { key: 'ö', keyCode: 192 }, ['Up a7']],
    ['keyup', 'KeyQ', { quiet: true }, []], // pressed elsewhere
    ['keydown', 'LaunchMail', { key: 'LaunchMail' }, []], // the browser's
    ['keydown', '', { key: 'a' }, ['Down 1e']], // a phone's
    ['keyup', '', { key: 'a' }, ['Up 9e']],
    ['keydown', 'ShiftRight', { shiftKey: true }, ['Down 36']],
    ['keydown', 'ArrowUp', { shiftKey: true }, ['Down 48e0']],
  ]);
  assert.deepEqual(left, ['Up b6', 'Up c8e0']);
}

/** A modifier that was pressed or released elsewhere is made good; AltGr is one key, also where Windows adds Ctrl. */
export function keys_modifiers() {
  assert.deepEqual(
    play([
      ['keydown', 'KeyC', { ctrlKey: true }, ['Down 1d', 'Down 2e']],
      ['keyup', 'KeyC', { ctrlKey: true }, ['Up ae']],
      ['keydown', 'KeyD', {}, ['Up 9d', 'Down 20']],
      ['keyup', 'KeyD', {}, ['Up a0']],
      ['keydown', 'ShiftLeft', { shiftKey: true }, ['Down 2a']],
      ['keydown', 'ShiftRight', { shiftKey: true }, ['Down 36']],
      ['keyup', 'ShiftLeft', { shiftKey: true }, ['Up aa']],
      ['keydown', 'KeyA', {}, ['Up b6', 'Down 1e']],
      ['keyup', 'KeyA', {}, ['Up 9e']],
      ['keydown', 'AltRight', { key: 'AltGraph', graph: 'AltGraph' }, ['Down 38e0']], // Linux
      ['keydown', 'KeyQ', { key: '@', graph: 'AltGraph' }, ['Down 10']],
      ['keyup', 'KeyQ', { key: '@', graph: 'AltGraph' }, ['Up 90']],
      ['keyup', 'AltRight', { key: 'AltGraph' }, ['Up b8e0']],
      ['keydown', 'ControlLeft', { ctrlKey: true, timeStamp: 5 }, ['Down 1d']], // Windows
      ['keydown', 'AltRight', { ctrlKey: true, altKey: true, timeStamp: 5 }, ['Up 9d', 'Down 38e0']],
      ['keydown', 'KeyQ', { key: '@', ctrlKey: true, altKey: true }, ['Down 10']],
      ['keyup', 'KeyQ', { key: '@', ctrlKey: true, altKey: true }, ['Up 90']],
      ['keyup', 'ControlLeft', { altKey: true, quiet: true }, []],
      ['keyup', 'AltRight', {}, ['Up b8e0']],
      ['keydown', 'KeyX', {}, ['Down 2d']],
    ]),
    ['Up ad'],
  );
}
