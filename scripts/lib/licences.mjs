// The libraries that ship inside the bundles, and their licences.
import fs from 'node:fs';
import path from 'node:path';
import { inRoot } from './paths.mjs';

/** @typedef {{ readonly name: string, readonly version: string, readonly licence: string, readonly text: string }} Package */
/** @typedef {{ readonly inputs: Readonly<Record<string, unknown>> }} Metafile what esbuild says of a bundle */

/**
 * Prebuilt files that hold other packages: where the same build, not minified, names its modules.
 * @type {ReadonlyMap<string, string>}
 */
const PREBUILT = new Map([
  ['node_modules/plotly.js/dist/plotly-cartesian.min.js', 'plotly-cartesian.js'],
]);

/** @param {string} holder */
const mitText = (holder) => `MIT License

Copyright (c) ${holder}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

/** @param {string} folder of an installed package @returns {Package} */
function describePackage(folder) {
  const { name, version, license, author } = JSON.parse(
    fs.readFileSync(path.join(folder, 'package.json'), 'utf8'),
  );
  const file = fs.readdirSync(folder).find((each) => /^licen[cs]e(\.|-|$)/i.test(each));
  if (file) {
    const text = fs.readFileSync(path.join(folder, file), 'utf8').trim();
    return { name, version, licence: license, text };
  }
  // Some publish the name of their licence and not its text.
  if (license !== 'MIT') throw new Error(`${name} is bundled but has no licence text`);
  const holder = typeof author === 'string' ? author : (author?.name ?? `the authors of ${name}`);
  return { name, version, licence: license, text: mitText(holder) };
}

/** @param {string} file of a bundle @returns {string | undefined} folder of the package it belongs to */
function packageFolder(file) {
  return /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0];
}

/**
 * Packages inside a prebuilt file, by the comments that its builder wrote before each module.
 * @param {string} file relative to the root
 * @returns {string[]}
 */
function namesInside(file) {
  const readable = PREBUILT.get(file);
  if (!readable) return [];
  const text = fs.readFileSync(path.join(path.dirname(inRoot(file)), readable), 'utf8');
  const found = text.matchAll(/^ *\/\/ node_modules\/((?:@[^/\n]+\/)?[^/\n]+)/gm);
  return [...new Set([...found].map(([, name]) => name))].sort();
}

/** Names of the packages that "dependencies" of package.json bring along. */
function namesOfDependencies() {
  const lock = JSON.parse(fs.readFileSync(inRoot('package-lock.json'), 'utf8'));
  const prefix = 'node_modules/';
  return new Set(
    Object.entries(lock.packages)
      .filter(([, { dev }]) => !dev)
      .map(([folder]) => folder.slice(folder.lastIndexOf(prefix) + prefix.length)),
  );
}

/**
 * What ships, from what went into the bundles.
 * @param {readonly Metafile[]} metafiles
 * @returns {{ packages: readonly Package[], inside: ReadonlyMap<string, readonly string[]> }} the packages, and
 *   for each of their prebuilt files the names of those that it contains and that are not installed for it
 * @throws where a bundle holds a package that is none of the product's dependencies, so that
 *   `npm audit --omit=dev` would not look at it
 */
export function findShipped(metafiles) {
  const dependencies = namesOfDependencies();
  const files = [...new Set(metafiles.flatMap(({ inputs }) => Object.keys(inputs)))];
  const folders = new Set(files.map(packageFolder).filter((folder) => folder !== undefined));
  const tools = [...folders]
    .map((folder) => describePackage(inRoot(folder)).name)
    .filter((name) => !dependencies.has(name));
  if (tools.length > 0) {
    throw new Error(`Bundled, but not among "dependencies" of package.json: ${tools.join(', ')}`);
  }
  /** @type {Map<string, readonly string[]>} */
  const inside = new Map();
  for (const file of files) {
    const names = namesInside(file);
    for (const name of names) if (dependencies.has(name)) folders.add(`node_modules/${name}`);
    const others = names.filter((name) => !dependencies.has(name));
    if (others.length > 0) inside.set(file, others);
  }
  return { packages: [...folders].sort().map((folder) => describePackage(inRoot(folder))), inside };
}

/**
 * The text that is shipped along: most licences ask for it.
 * @param {ReturnType<typeof findShipped>} shipped
 */
export function formatLicences({ packages, inside }) {
  const parts = packages.map(
    ({ name, version, licence, text }) => `${name} ${version} (${licence})\n\n${text}`,
  );
  for (const [file, names] of inside) {
    const about = file.replace('node_modules/', '');
    parts.push(`${about} is used as its publisher built it; it also contains ${names.join(', ')}.`);
  }
  return `${parts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}
