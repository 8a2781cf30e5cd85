// Runs one scenario: node run.mjs FILE NAME. The first line of standard input is what is given (JSON); what the
// scenario tells, and at the end what it returns, are lines of JSON on standard output.

import { createInterface } from 'node:readline';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => (await lines.next()).value;
const tell = (what) => process.stdout.write(`${JSON.stringify(what ?? null)}\n`);

const [file, name] = process.argv.slice(2);
const scenarios = await import(new URL(file, import.meta.url));
const given = JSON.parse(await next());
tell(await scenarios[name](given, { next, tell }));
process.stdin.destroy();
