// What xterm.js shows of outputs; tests/live/javascript/test_screens.py compares it with the agent's model of a screen.

import { createRequire } from 'node:module';

// A terminal that is never opened draws nothing, but its module looks at these as it is loaded.
globalThis.window = globalThis;
globalThis.self = globalThis;
globalThis.document = {
  createElement: () => ({ style: {}, getContext: () => null }),
  documentElement: { style: {} },
};

/** The rows, the cursor's place and the buffer of a terminal of this size, after each of these outputs (base64). */
export async function shown({ xterm, columns, rows, outputs }) {
  const { Terminal } = createRequire(import.meta.url)(xterm);
  const all = [];
  for (const output of outputs) {
    const terminal = new Terminal({ cols: columns, rows, allowProposedApi: true, logLevel: 'off' });
    await new Promise((done) => terminal.write(Buffer.from(output, 'base64'), done));
    const buffer = terminal.buffer.active;
    const lines = Array.from({ length: rows }, (_, y) => buffer.getLine(buffer.baseY + y).translateToString(false));
    all.push({ lines, x: buffer.cursorX, y: buffer.cursorY, alternate: buffer.type === 'alternate' });
    terminal.dispose();
  }
  return all;
}
