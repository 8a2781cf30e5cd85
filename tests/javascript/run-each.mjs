// Runs functions of one file one after the other: node run-each.mjs FILE NAME... Each of them finds the globals, and the
// clock, as the first one did. Standard error tells of those that fail.

import { mock } from 'node:test';

const [file, ...names] = process.argv.slice(2);
const functions = await import(new URL(file, import.meta.url));
const before = [globalThis, performance, Math].map((one) => [one, Object.getOwnPropertyDescriptors(one)]);
for (const name of names) {
  try {
    await functions[name]();
  } catch (error) {
    console.error(`${name}:`, error);
    process.exitCode = 1;
  }
  mock.reset();
  for (const [one, all] of before) {
    for (const key of Object.getOwnPropertyNames(one)) if (!Object.hasOwn(all, key)) delete one[key];
    for (const key of Object.keys(all)) Object.defineProperty(one, key, all[key]);
  }
}
