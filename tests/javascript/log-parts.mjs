// The parts of the log's viewer that the console fetches at once; tests/web/test_javascript_logs.py runs this.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { PARTS } from '../../streamrelay/web/console/viewers.js';

const WEB = new URL('../../streamrelay/web/', import.meta.url);

/** Whatever is imported below a file; paths without their ".js". */
function below(path, found = new Set()) {
  if (found.has(path)) return found;
  found.add(path);
  const text = readFileSync(new URL(`${path}.js`, WEB), 'utf8');
  for (const [, to] of text.matchAll(/^(?:import|export)\b[^;]*?'(\.[^']+)\.js';/gm)) {
    below(new URL(to, new URL(path, WEB)).pathname.slice(WEB.pathname.length), found);
  }
  return found;
}

/** All that the viewer imports is fetched at once, and nothing else; the page itself has the client. */
export function parts_are_what_is_imported() {
  const imported = below('viewers/log');
  assert(imported.delete('streamrelay'));
  assert.deepEqual([...PARTS.log].sort(), [...imported].sort());
}
