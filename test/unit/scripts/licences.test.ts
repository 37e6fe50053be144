import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { dependencies } from '../../../package.json';
import { findShipped, formatLicences } from '../../../scripts/lib/licences.mjs';

const LICENCES = join(import.meta.dirname, '../../../dist/THIRD_PARTY_LICENSES.txt');
/** The sentences by which the MIT, BSD, Apache and ISC licences grant their rights. */
const GRANT = /Permission is hereby granted|Redistribution|Apache License|Permission to use, copy/i;
const bundleOf = (...files: string[]) => [
  { inputs: Object.fromEntries(files.map((file) => [file, {}])) },
];

test('what ships has the licence of every dependency, with its text', () => {
  const parts = readFileSync(LICENCES, 'utf8').split(`\n\n${'-'.repeat(80)}\n\n`);
  for (const name of Object.keys(dependencies)) {
    const part = parts.find((each) => each.startsWith(`${name} `));
    expect(part, name).toMatch(GRANT);
  }
});

test('a tool that gets into a bundle fails the build, since no audit would look at it', () => {
  const metafiles = bundleOf('src/extension.ts', 'node_modules/prettier/index.mjs');
  expect(() => findShipped(metafiles)).toThrow(/Bundled, but not among "dependencies".*prettier/);
});

test('what a prebuilt file contains is named', () => {
  const shipped = findShipped(bundleOf('node_modules/plotly.js/dist/plotly-cartesian.min.js'));
  const names = shipped.packages.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['plotly.js', '@plotly/d3', 'd3-format']));
  expect(formatLicences(shipped)).toMatch(/it also contains assert, /);
});
