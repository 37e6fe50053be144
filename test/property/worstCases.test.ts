import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { report, worstOf } from '../support/worstCases/measuring.js';
import { READERS, READING_FOLDERS, TAKES_NO_TEXT } from '../support/worstCases/readers.js';

// Every case of a tenth of a megabyte, and a megabyte of the slowest and of those that grow too fast; in
// test/slow, of the slowest three.
describe('a megabyte of the worst takes no longer than other text', () => {
  it.each(READERS.map((reader) => [reader.name, reader] as const))('%s', async (name, reader) => {
    report(name, await worstOf(reader, 1));
  });
});

describe('the list of what reads text', () => {
  it.each(READING_FOLDERS)('has all of %s', async (folder) => {
    const path = fileURLToPath(new URL(`../../${folder}`, import.meta.url));
    const files = (await readdir(path)).filter((name) => name.endsWith('.ts'));
    const listed = new Set([...READERS.map(({ file }) => file), ...TAKES_NO_TEXT]);
    expect(files.map((name) => `${folder}/${name}`).filter((file) => !listed.has(file))).toEqual(
      [],
    );
  });
});
