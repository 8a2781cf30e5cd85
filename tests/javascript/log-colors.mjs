// Whether colours can be read; tests/web/test_javascript_logs.py runs these.

import assert from 'node:assert/strict';

import { contrast, LEAST, readable, rules, THEMES } from '../../streamrelay/web/log/colors.js';

const HOVER = { light: '#edf0f5', dark: '#1f2530' };
const SIXTEEN = Array.from({ length: 16 }, (_, at) => at);

/** The value that a theme has of what a rule sets; the rule of that very selector. */
function value(all, selector, theme) {
  const [, , found] = all.find(([, name]) => name === selector) ?? assert.fail(selector);
  const pair = /^light-dark\((.*), (.*)\)$/.exec(found);
  return pair ? pair[theme === 'light' ? 1 : 2] : found;
}

/** Each of the 240 pairs of the 16 colours, and each colour alone, has a contrast of 4.5 to 1, in both themes. */
export function colors_pairs() {
  const all = rules().map((rule) => /^(\S+) \{ [a-z]+: (.*); \}$/.exec(rule) ?? assert.fail(rule));
  for (const theme of ['light', 'dark']) {
    const { ground, text } = THEMES[theme];
    const check = (front, back, name) =>
      assert(contrast(front, back) >= LEAST, `${name} in ${theme}: ${contrast(front, back)}`);
    for (const back of SIXTEEN) {
      const under = value(all, `.back-${back}`, theme);
      for (const front of SIXTEEN)
        check(value(all, `.front-${front}.back-${back}`, theme), under, `${front} on ${back}`);
      check(value(all, `.back-${back}:not([class*="front-"])`, theme), under, `text on ${back}`);
      check(value(all, `.front-ground.back-${back}`, theme), under, `the ground's on ${back}`);
      const alone = value(all, `.front-${back}`, theme);
      check(alone, ground, `${back}`);
      check(alone, HOVER[theme], `${back} under the pointer`);
      check(value(all, `.front-${back}.back-text`, theme), text, `${back} on the text's`);
    }
  }
}

/** A colour that can be read stays as it is; any other becomes the nearest that can. */
export function colors_nearest() {
  assert.equal(readable('#ffffff', '#000000'), '#ffffff');
  for (let at = 0; at < 4096; at += 7) {
    const color = `rgb(${(at & 15) * 17} ${((at >> 4) & 15) * 17} ${(at >> 8) * 17})`;
    for (const other of ['#ffffff', '#000000', '#808080', 'rgb(118 118 118)', color])
      assert(contrast(readable(color, other), other) >= LEAST, `${color} on ${other}`);
  }
}
