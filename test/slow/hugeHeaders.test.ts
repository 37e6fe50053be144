// The largest headers that are read, through the built command line: npm run test:slow.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { rawFile } from '../support/rawSafetensors.js';
import { temporaryFolder } from '../support/safetensorsFiles.js';

const CLI = join(import.meta.dirname, '../../dist/cli.js');
const HEADER_BYTES = 100_000_000;
/** What it takes is some 700 MB and a few seconds; a busy machine takes longer, a wrong program far more. */
const MAX_MEGABYTES = 900;
const MAX_SECONDS = 60;

beforeAll(() => {
  if (!existsSync(CLI)) throw new Error('dist/cli.js is missing: run "npm run build" first');
});

/** A header of the greatest length, as full of tensors as it gets. */
function fullOf(member: (i: number) => string): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES, ' ');
  let at = header.write('{');
  for (let i = 0; ; i++) {
    const text = `${i > 0 ? ',' : ''}${member(i)}`;
    if (at + text.length >= HEADER_BYTES) break;
    at += header.write(text, at);
  }
  header.write('}', at);
  return rawFile(header);
}

const HEADERS: Readonly<Record<string, () => Uint8Array>> = {
  'a million tensors of a mixture of experts': () =>
    fullOf(
      (i) =>
        `"model.layers.${Math.floor(i / 3000)}.mlp.experts.${i % 3000}.w1.weight":{"dtype":"BF16","shape":[0,1],"data_offsets":[0,0]}`,
    ),
  'a million layers': () =>
    fullOf((i) => `"layers.${i}.weight":{"dtype":"BF16","shape":[0,1],"data_offsets":[0,0]}`),
  '48 million dimensions': () =>
    fullOf((i) => `"t${i}":{"dtype":"U8","shape":[0${',1'.repeat(48_000)}],"data_offsets":[0,0]}`),
};

/** Runs the command line; its output goes to a file. */
async function inspect(path: string, ...options: string[]) {
  const out = `${path}.out`;
  const usage = `process.on('exit', () => require('fs').writeFileSync(${JSON.stringify(`${path}.rss`)}, String(process.resourceUsage().maxRSS)))`;
  await writeFile(`${path}.cjs`, usage);
  const begin = performance.now();
  const args = ['--require', `${path}.cjs`, CLI, 'inspect', path, ...options];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.pipe(createWriteStream(out));
  const [code] = (await once(child, 'close')) as [number];
  const seconds = (performance.now() - begin) / 1000;
  const megabytes = Number(await readFile(`${path}.rss`, 'utf8')) / 1024;
  return { code, seconds, megabytes, out };
}

describe.each(Object.entries(HEADERS))('a header of 100 MB with %s', (_, make) => {
  it.each([[[]], [['--json']]])('is listed with %j', async (options) => {
    const path = join(await temporaryFolder(), 'm.safetensors');
    await writeFile(path, make());
    const { code, seconds, megabytes, out } = await inspect(path, ...options);
    expect(code).toBe(0);
    expect(megabytes).toBeLessThan(MAX_MEGABYTES);
    expect(seconds).toBeLessThan(MAX_SECONDS);
    if (options.length === 0) expect((await readFile(out)).length).toBeLessThan(1_000_000);
  });
});

it('is left when interrupted, half-way through', async () => {
  const path = join(await temporaryFolder(), 'm.safetensors');
  await writeFile(path, HEADERS['a million layers']());
  const child = spawn(process.execPath, [CLI, 'inspect', path, '--json']);
  // The first part of the list is there, the rest is not.
  await once(child.stdout, 'data');
  child.kill('SIGINT');
  child.stdout.resume();
  const [code] = (await once(child, 'close')) as [number];
  expect(code).toBe(130);
});
