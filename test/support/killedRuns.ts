import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { endOf, run, start } from './commandLine.js';
import { rawFile, readRawSafetensors } from './rawSafetensors.js';
import { temporaryFolder } from './safetensorsFiles.js';

const ROWS = 8 * 1024;
const COLUMNS = 1024;
const PARTIAL = /^\.quantscope-.*\.partial$/;

/** A model of one matrix of zeros, slow enough on the reference backend to be caught at work. */
export async function slowModel(): Promise<{
  folder: string;
  quantize: (out: string) => string[];
}> {
  const folder = await temporaryFolder();
  const input = join(folder, 'input.safetensors');
  const bytes = ROWS * COLUMNS * 2;
  const entry = `{"dtype":"BF16","shape":[${ROWS},${COLUMNS}],"data_offsets":[0,${bytes}]}`;
  await writeFile(input, rawFile(`{"a.weight":${entry}}`, bytes));
  await mkdir(join(folder, 'out'));
  const options = ['--format', 'anf4', '--backend', 'reference', '--quiet'];
  return {
    folder: join(folder, 'out'),
    quantize: (out) => ['quantize', input, ...options, '--out', join(folder, 'out', out)],
  };
}

/** Kills a run as soon as it writes; returns the names that lie where it wrote. */
async function killWhileWriting(folder: string, args: readonly string[]): Promise<string[]> {
  const before = await readdir(folder);
  const child = start(args);
  const ended = endOf(child);
  const isNew = (name: string) => !before.includes(name);
  await expect
    .poll(async () => (await readdir(folder)).some(isNew), { timeout: 60_000, interval: 5 })
    .toBe(true);
  child.kill('SIGKILL');
  expect(await ended).toMatchObject({ code: null, stdout: '' });
  return readdir(folder);
}

/** Kills so many runs while they write: none leaves more than the last one did, or half a file. */
export async function expectLittleLeft(kills: number): Promise<void> {
  const { folder, quantize } = await slowModel();
  const args = quantize('out.safetensors');
  for (let kill = 0; kill < kills; kill++) {
    const left = await killWhileWriting(folder, args);
    expect(left.filter((name) => !PARTIAL.test(name))).toEqual([]);
    expect(left.length).toBeLessThanOrEqual(1);
  }
  expect((await run(...args)).code).toBe(0);
  expect(await readdir(folder)).toEqual(['out.safetensors']);
  const { shape, bytes } = readRawSafetensors(join(folder, 'out.safetensors')).get('a.weight')!;
  expect({ shape, length: bytes.length }).toEqual({
    shape: [ROWS, COLUMNS],
    length: ROWS * COLUMNS * 4,
  });
}
