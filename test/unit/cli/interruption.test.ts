import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { endOf, start } from '../../support/commandLine.js';
import { SAMPLE, temporaryFolder } from '../../support/checkpoints.js';
import { expectLittleLeft, slowModel } from '../../support/killedRuns.js';

const TIMEOUT = 120_000;
// A second, and what a loaded machine takes beside it; a process that hangs stays for ever.
const SOON_MILLISECONDS = 20_000;

const isUnix = process.platform !== 'win32';

/** What a shell would say of how a process ended. */
function shellCode({ exitCode, signalCode }: ReturnType<typeof start>): number | null {
  return signalCode === null ? exitCode : 128 + constants.signals[signalCode];
}

async function waitForNames(folder: string, count: number): Promise<void> {
  await expect.poll(() => readdir(folder), { timeout: TIMEOUT, interval: 5 }).toHaveLength(count);
}

/** A program that takes all threads that Node reads files with, as a disk does that does not answer. */
async function threadsThatHang(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'quantscope-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const [pipe, begin, program] = ['pipe', 'begin', 'hang.cjs'].map((name) => join(folder, name));
  execFileSync('mkfifo', [pipe]);
  await writeFile(
    program,
    `const { open, existsSync } = require('node:fs');
     const timer = setInterval(() => {
       if (!require('node:worker_threads').isMainThread || !existsSync('${begin}')) return;
       clearInterval(timer);
       for (let thread = 0; thread < 4; thread++) open('${pipe}', () => undefined);
       require('node:fs').writeFileSync('${begin}ed', '');
     }, 5).unref();`,
  );
  return folder;
}

describe.skipIf(!isUnix)('an interrupted run', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'ends by %s with the code that shells know, and leaves nothing',
    async (signal) => {
      const { folder, quantize } = await slowModel();
      const child = start(quantize('out.safetensors'));
      const ended = endOf(child);
      await waitForNames(folder, 1);
      child.kill(signal);
      const code = 128 + constants.signals[signal];
      expect(await ended).toEqual({ code, stdout: '', stderr: 'quantscope: interrupted\n' });
      expect(await readdir(folder)).toEqual([]);
    },
    TIMEOUT,
  );

  it.each([1, 2])(
    'ends, and leaves nothing, even while reading hangs; signals: %d',
    async (signals) => {
      const hang = await threadsThatHang();
      const { folder, quantize } = await slowModel();
      const child = start(quantize('out'), {
        env: { ...process.env, NODE_OPTIONS: `--require ${join(hang, 'hang.cjs')}` },
      });
      const ended = endOf(child);
      await waitForNames(folder, 1);
      await writeFile(join(hang, 'begin'), '');
      await expect.poll(() => existsSync(join(hang, 'begined')), { timeout: TIMEOUT }).toBe(true);
      const begin = performance.now();
      child.kill('SIGINT');
      const again = setInterval(() => signals > 1 && child.kill('SIGINT'), 150);
      await ended;
      clearInterval(again);
      expect(performance.now() - begin).toBeLessThan(SOON_MILLISECONDS);
      expect(shellCode(child)).toBe(130);
      expect(await readdir(folder)).toEqual([]);
    },
    TIMEOUT,
  );
});

describe.skipIf(!isUnix)('what is no file', () => {
  it(
    'is refused at once, in one line, wherever a file is read or written',
    async () => {
      const folder = await temporaryFolder();
      const pipe = join(folder, 'pipe');
      execFileSync('mkfifo', [pipe]);
      const few = ['--windows', '1', '--context', '64', '--no-cache', '--quiet'];
      for (const args of [
        ['perplexity', SAMPLE, '--text', pipe, ...few],
        ['perplexity', SAMPLE, '--text', '/dev/zero', ...few],
        ['perplexity', SAMPLE, '--token-ids', pipe, ...few],
        ['perplexity', SAMPLE, '--save-logits', pipe, ...few],
        ['inspect', pipe],
        ['quantize', SAMPLE, '--format', 'int4', '--out', `${pipe}.safetensors/x.safetensors`],
      ]) {
        const ended = await endOf(start(args));
        expect(ended).toMatchObject({ code: 1, stdout: '' });
        expect(ended.stderr).toMatch(/^quantscope: [^\n]*(pipe|zero)[^\n]*\n$/);
      }
    },
    TIMEOUT,
  );
});

it(
  'killed runs leave no more than one partial file, and the next one removes it',
  () => expectLittleLeft(5),
  TIMEOUT,
);

it(
  'runs that write to one folder leave each other alone',
  async () => {
    const { folder, quantize } = await slowModel();
    const first = start(quantize('first.safetensors'));
    const ended = endOf(first);
    await waitForNames(folder, 1);
    const second = await endOf(start(quantize('second.safetensors')));
    expect([second.code, (await ended).code]).toEqual([0, 0]);
    expect((await readdir(folder)).sort()).toEqual(['first.safetensors', 'second.safetensors']);
  },
  TIMEOUT,
);
