import { setImmediate } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { mapConcurrently } from '../../../src/jobs/mapConcurrently.js';
import { isCancelled } from '../../../src/rpc/rpc.js';

/** Waits until its signal is aborted. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
  });
}

it('gives results in order, and Node nothing to warn of, however much goes on at once', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  onTestFinished(() => void process.off('warning', onWarning));
  const items = Array.from({ length: 200 }, (_, index) => index);
  const doubled = await mapConcurrently(items, 64, async (item, signal) => {
    const stop = () => undefined;
    signal.addEventListener('abort', stop);
    await setImmediate();
    signal.removeEventListener('abort', stop);
    return 2 * item;
  });
  await setImmediate();
  expect(doubled).toEqual(items.map((item) => 2 * item));
  expect(warnings).toEqual([]);
});

it('cancels everything that goes on when one fails or the caller cancels', async () => {
  let begun = 0;
  const failing = mapConcurrently([0, 1, 2, 3], 3, async (item, signal) => {
    begun++;
    if (item === 2) throw new Error('no luck');
    return untilAborted(signal);
  });
  await expect(failing).rejects.toThrow('no luck');
  expect(begun).toBe(3);

  const controller = new AbortController();
  const cancelled = mapConcurrently(
    [0, 1],
    2,
    (_, signal) => untilAborted(signal),
    controller.signal,
  );
  controller.abort();
  await expect(cancelled).rejects.toThrow('aborted');
  const late = mapConcurrently([0], 1, async () => 0, controller.signal);
  expect(isCancelled(await late.catch((error: unknown) => error))).toBe(true);
});
