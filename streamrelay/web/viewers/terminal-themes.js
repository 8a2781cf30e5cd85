// The terminal's colours; xterm.js keeps a contrast of 4.5 to 1 by itself whatever a program chooses.

const DARK = {
  background: '#14171a',
  foreground: '#e4e7ea',
  cursor: '#e4e7ea',
  cursorAccent: '#14171a',
  selectionBackground: '#3d5673',
  black: '#14171a',
  red: '#f2777a',
  green: '#8fc98b',
  yellow: '#e8c468',
  blue: '#7fb1ea',
  magenta: '#d59ae0',
  cyan: '#6fcbd0',
  white: '#d5d9dd',
  brightBlack: '#8b939b',
  brightRed: '#ff9a9c',
  brightGreen: '#b1e3ad',
  brightYellow: '#f7dd94',
  brightBlue: '#a8cdf7',
  brightMagenta: '#ebbdf3',
  brightCyan: '#9ee4e8',
  brightWhite: '#ffffff',
};

const LIGHT = {
  background: '#ffffff',
  foreground: '#1d2125',
  cursor: '#1d2125',
  cursorAccent: '#ffffff',
  selectionBackground: '#b9d3f3',
  black: '#1d2125',
  red: '#b3261e',
  green: '#1f6b2c',
  yellow: '#7a5900',
  blue: '#1c55a8',
  magenta: '#8b2f97',
  cyan: '#0a6670',
  white: '#c9ced3',
  brightBlack: '#5b646d',
  brightRed: '#c93b33',
  brightGreen: '#2c7d39',
  brightYellow: '#8f6a05',
  brightBlue: '#2a67c2',
  brightMagenta: '#a143ae',
  brightCyan: '#147983',
  brightWhite: '#ffffff',
};

/** The colours for what stands behind the terminal (viewers.css): its background, as the browser computes it. */
export function themeOf(background) {
  return background === 'rgb(20, 23, 26)' ? DARK : LIGHT;
}

/** The colours of what a search finds, in one of those themes. */
export function marksOf(theme) {
  const [match, active] = theme === DARK ? ['#5e4a00', '#8a4b08'] : ['#ffe9a8', '#ffc46b'];
  return {
    matchBackground: match,
    activeMatchBackground: active,
    matchOverviewRuler: '#c29a1f',
    activeMatchColorOverviewRuler: '#d9641e',
  };
}
