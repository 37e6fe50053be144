import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { ASSETS, SAMPLE, temporaryFolder } from '../../support/checkpoints.js';

const TIMEOUT = 120_000;
const WINDOWS = 12;
// Two windows of two models fill the budget, so there are six batches.
const REQUEST = [
  ...['perplexity', SAMPLE, '--format', 'afp4', '--windows', String(WINDOWS)],
  ...['--memory-budget', '1', '--threads', '1', '--json', '--quiet'],
];

function start(cache: string) {
  const child = spawn(process.execPath, [join(ASSETS, 'cli.js'), ...REQUEST], {
    env: { ...process.env, QUANTSCOPE_CACHE: cache },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => (stdout += text));
  child.stderr.on('data', (text) => (stderr += text));
  const closed = once(child, 'close').then(([code, signal]) => ({ code, signal, stdout, stderr }));
  return { child, closed };
}

/** Whole lines of scores in a cache: variant and window of each. */
async function scored(cache: string): Promise<string[]> {
  const files = await readdir(cache).catch(() => []);
  const texts = await Promise.all(files.map((file) => readFile(join(cache, file), 'utf8')));
  return texts
    .flatMap((text) => text.split('\n').slice(0, -1))
    .map((line) => JSON.parse(line) as unknown[])
    .filter((line) => line.length > 2)
    .map(([variant, window]) => `${variant} ${window}`);
}

function numbers(stdout: string): unknown {
  const { baseline, formats, text } = JSON.parse(stdout);
  return { baseline, formats, text };
}

it(
  'goes on where a killed evaluation stopped, to the same bits',
  async () => {
    const cache = await temporaryFolder();
    const first = start(cache);
    await expect
      .poll(async () => (await scored(cache)).length, { timeout: TIMEOUT, interval: 5 })
      .toBeGreaterThan(0);
    first.child.kill('SIGKILL');
    expect(await first.closed).toMatchObject({ signal: 'SIGKILL', stdout: '' });
    const before = await scored(cache);
    expect(before.length).toBeLessThan(2 * WINDOWS);

    const second = await start(cache).closed;
    expect(second).toMatchObject({ code: 0, stderr: '' });
    // Nothing was scored twice: what was kept was used.
    const after = await scored(cache);
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after).toHaveLength(2 * WINDOWS);
    expect(new Set(after).size).toBe(2 * WINDOWS);

    const whole = await start(await temporaryFolder()).closed;
    expect(numbers(second.stdout)).toEqual(numbers(whole.stdout));
  },
  TIMEOUT,
);
