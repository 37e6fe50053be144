import { expect, it } from 'vitest';
import { measurePerplexity } from '../../src/jobs/perplexity.js';
import { inPerplexityThread } from '../../src/jobs/perplexityThread.js';
import { isCancelled, type Progress } from '../../src/protocol/rpc.js';
import { openCheckpoint } from '../../src/safetensors/index.js';
import { ASSETS, createPool, SAMPLE } from '../support/checkpoints.js';

const START = { threads: 2, assetsFolder: ASSETS };
const REQUEST = { formats: ['int4'], windows: 2 };

it('measures in a thread of its own what the caller would measure', async () => {
  const checkpoint = await openCheckpoint(SAMPLE);
  const messages: (string | undefined)[] = [];
  const apart = await inPerplexityThread(START, (thread) =>
    thread.measurePerplexity(
      { checkpoint, request: REQUEST },
      { onProgress: ({ message }: Progress) => messages.push(message) },
    ),
  );
  const pool = await createPool();
  const here = await measurePerplexity(pool, checkpoint, { ...REQUEST, assetsFolder: ASSETS });
  expect({ ...apart, timings: 0 }).toEqual({ ...here, timings: 0 });
  expect(messages).toContain('block 2 of 4, windows 1–2 of 2');
});

it('stops when cancelled, and passes errors on', async () => {
  const checkpoint = await openCheckpoint(SAMPLE);
  const controller = new AbortController();
  const onProgress = ({ message }: Progress) => {
    if (message?.startsWith('block 2')) controller.abort();
  };
  const options = { signal: controller.signal, onProgress };
  const cancelled = await inPerplexityThread(START, (thread) =>
    thread.measurePerplexity({ checkpoint, request: REQUEST }, options),
  ).catch((error: unknown) => error);
  expect(isCancelled(cancelled)).toBe(true);

  const nowhere = { formats: [], textFile: '/nowhere.txt' };
  await expect(
    inPerplexityThread(START, (thread) =>
      thread.measurePerplexity({ checkpoint, request: nowhere }),
    ),
  ).rejects.toThrow('/nowhere.txt');
});

it('leaves no memory behind', async () => {
  const checkpoint = await openCheckpoint(SAMPLE);
  const run = () =>
    inPerplexityThread(START, (thread) =>
      thread.measurePerplexity({ checkpoint, request: REQUEST }),
    );
  await run();
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 5; i++) await run();
  // Each takes at least 25 MB; five that stayed would show.
  expect(process.memoryUsage().rss - before).toBeLessThan(60 << 20);
});
