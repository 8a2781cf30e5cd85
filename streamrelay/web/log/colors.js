// The 16 colours of terminals in both themes, so that each can be read on each: a colour that can't is mixed with black or
// white until it can.

export const LEAST = 4.5; // the contrast that WCAG asks for
const STEPS = 20;

/** By theme: the ground, the text, and the colours on that ground. */
export const THEMES = {
  light: {
    ground: '#ffffff',
    text: '#1a1f28',
    colors: [
      ...['#1a1f28', '#b3261e', '#17702f', '#7a5200', '#2450c4', '#8a2a9b', '#0b6a75', '#566070'],
      ...['#5b6472', '#c22820', '#1b7a37', '#805700', '#2f5bd7', '#9a35ac', '#0d7480', '#3b4350'],
    ],
  },
  dark: {
    ground: '#14181f',
    text: '#e4e8ee',
    colors: [
      ...['#8a94a3', '#ff8a80', '#4ac77e', '#e5b454', '#8caeff', '#e29af0', '#5ed0dd', '#c4ccd7'],
      ...['#98a3b3', '#ffa59d', '#72dd9e', '#f3cb78', '#adc6ff', '#f0b6fa', '#8be4ee', '#ffffff'],
    ],
  },
};
/** As grounds they are the same in both. */
export const GROUNDS = [
  ...['#1a1f28', '#b3261e', '#17702f', '#7a5200', '#2450c4', '#8a2a9b', '#0b6a75', '#c4ccd7'],
  ...['#5b6472', '#d9443b', '#2f9e57', '#b98a1c', '#5c83ee', '#b45cc5', '#2b98a5', '#ffffff'],
];

/** In which the names of a log's sources stand, by theme; each can be read on the ground, and where the pointer is. */
export const SOURCES = {
  light: ['#2450c4', '#17702f', '#8a2a9b', '#7a5200', '#0b6a75', '#a3245c', '#5b3cc4', '#44546a'],
  dark: ['#8caeff', '#4ac77e', '#e29af0', '#e5b454', '#5ed0dd', '#ff9dc0', '#b7a4ff', '#b4c0d0'],
};

/** The class of a source's name, by its place. */
export const sourceClass = (place) => `source-${place % SOURCES.light.length}`;

/** From 1 to 21, as WCAG has it. */
export function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** A colour, or what is nearest to it and can be read on `ground`; all are `#rrggbb` or `rgb(r g b)`. */
export function readable(color, ground) {
  for (let step = 0; step <= STEPS; step += 1) {
    const found = ['#000000', '#ffffff'].map((end) => mixed(color, end, step / STEPS));
    const best = found.find((each) => contrast(each, ground) >= LEAST);
    if (best) return best;
  }
  return color;
}

/** The rules for spans with the classes `front-N`, `back-N`, `front-ground` and `back-text`. */
export function rules() {
  const { light, dark } = THEMES;
  const all = [];
  const rule = (selector, property, ...values) => all.push(`${selector} { ${property}: ${both(...values)}; }`);
  for (const [at, color] of SOURCES.light.entries()) rule(`.source-${at}`, 'color', color, SOURCES.dark[at]);
  for (const [at, ground] of GROUNDS.entries()) {
    rule(`.front-${at}`, 'color', light.colors[at], dark.colors[at]);
    rule(`.front-${at}.back-text`, 'color', readable(ground, light.text), readable(ground, dark.text));
    rule(`.back-${at}`, 'background', ground);
    rule(`.back-${at}:not([class*="front-"])`, 'color', readable('#ffffff', ground));
    rule(`.front-ground.back-${at}`, 'color', readable(light.ground, ground), readable(dark.ground, ground));
    for (const [front, color] of GROUNDS.entries())
      rule(`.front-${front}.back-${at}`, 'color', readable(color, ground));
  }
  return all;
}

/** What is one colour in the light theme and perhaps another in the dark one. */
export function both(light, dark = light) {
  return light === dark ? light : `light-dark(${light}, ${dark})`;
}

function luminance(color) {
  const [red, green, blue] = parts(color).map((part) => {
    const value = part / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function parts(color) {
  if (!color.startsWith('#')) return color.match(/\d+/g).map(Number);
  return [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
}

function mixed(color, other, part) {
  if (!part) return color;
  const ends = parts(other);
  const all = parts(color).map((each, at) => Math.round(each + (ends[at] - each) * part));
  return `#${all.map((each) => each.toString(16).padStart(2, '0')).join('')}`;
}
