// Runs functions of one file one after the other: node run-each.mjs FILE NAME... Each of them finds modules of its own, and
// the globals and the clock as the first one did; a file that changes something else exports `reset`. Standard error tells
// of those that fail.

import module from 'node:module';

import * as fresh from './fresh.mjs';

const [file, ...names] = process.argv.slice(2);
if (module.registerHooks) module.registerHooks(fresh);
else module.register('./fresh.mjs', import.meta.url); // Node 22's first versions
const before = [globalThis, performance, Math, Date].map((one) => [one, Object.getOwnPropertyDescriptors(one)]);
for (const [at, name] of names.entries()) {
  const functions = await import(new URL(`${file}?${at}`, import.meta.url));
  try {
    await functions[name]();
  } catch (error) {
    console.error(`${name}:`, error);
    process.exitCode = 1;
  }
  functions.reset?.();
  for (const [one, all] of before) {
    for (const key of Object.getOwnPropertyNames(one)) if (!Object.hasOwn(all, key)) delete one[key];
    for (const key of Object.keys(all)) Object.defineProperty(one, key, all[key]);
  }
}
