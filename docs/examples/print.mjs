// Prints a stream on standard output; a log goes on where it stopped when the connection breaks. Node 22 or newer:
//
//     STREAMRELAY_KEY=srk_… node print.mjs https://platform.example HOST TARGET

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import { open } from '../../streamrelay/web/streamrelay.js';

const [platform, host, target] = process.argv.slice(2);
let where = {}; // a log's place; other targets have none, and begin anew
for (let wait = 1; ; wait = Math.min(2 * wait, 30)) {
  try {
    const stream = await open({ platform, host, target, key: process.env.STREAMRELAY_KEY, ...where });
    wait = 1;
    try {
      for await (const bytes of stream.readable) {
        if (!process.stdout.write(bytes)) await once(process.stdout, 'drain');
      }
      break;
    } finally {
      where = stream.place ?? {};
      stream.close();
    }
  } catch (error) {
    console.error(error.message);
    if (!(error.transient ?? error.outcome?.transient)) process.exit(1);
    await sleep(1000 * wait);
  }
}
