import { expect, it } from 'vitest';
import { measureInThread } from '../../../src/jobs/perplexity/measureInThread.js';
import type { MeasurementRequest } from '../../../src/jobs/perplexity/measurement.js';
import { measureFormats } from '../../../src/jobs/perplexity/node/measureFormats.js';
import { selectTensors } from '../../../src/jobs/selection.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { isCancelled, type Progress } from '../../../src/rpc/rpc.js';
import { createPool, HOST, SAMPLE } from '../../support/checkpoints.js';

const START = { threads: 2 };

async function openSample() {
  const model = await openLocalModel(SAMPLE);
  const request: MeasurementRequest = {
    formats: ['int4'],
    tensors: selectTensors(model, {}).map(({ name }) => name),
    scaleDtype: 'f16',
    perLayer: false,
    settings: { windows: 2 },
  };
  return { model, request };
}

it('measures in a thread of its own what the caller would measure', async () => {
  const { model, request } = await openSample();
  const messages: (string | undefined)[] = [];
  const apart = await measureInThread(HOST, START, model, request, {
    onProgress: ({ message }: Progress) => messages.push(message),
  });
  const here = await measureFormats(await createPool(), model, request);
  const untimed = { tokenizeSeconds: 0, forwardSeconds: 0, peakRssBytes: 0 };
  expect({ ...apart, ...untimed }).toEqual({ ...here, ...untimed });
  expect(messages).toContain('block 2 of 4, windows 1–2 of 2');
});

it('stops when cancelled, and passes errors on', async () => {
  const { model, request } = await openSample();
  const controller = new AbortController();
  const onProgress = ({ message }: Progress) => {
    if (message?.startsWith('block 2')) controller.abort();
  };
  const options = { signal: controller.signal, onProgress };
  const cancelled = await measureInThread(HOST, START, model, request, options).catch(
    (error: unknown) => error,
  );
  expect(isCancelled(cancelled)).toBe(true);

  const nowhere = { ...request, settings: { textFile: '/nowhere.txt' } };
  await expect(measureInThread(HOST, START, model, nowhere)).rejects.toThrow('/nowhere.txt');
});

it('leaves no memory behind', async () => {
  const { model, request } = await openSample();
  const run = () => measureInThread(HOST, START, model, request);
  await run();
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 5; i++) await run();
  // Each takes at least 25 MB; five that stayed would show.
  expect(process.memoryUsage().rss - before).toBeLessThan(60 << 20);
});
