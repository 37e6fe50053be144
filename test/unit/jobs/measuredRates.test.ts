import { expect, it } from 'vitest';
import { MeasuredRates } from '../../../src/jobs/backends/measuredRates.js';
import { isCancelled } from '../../../src/rpc/rpc.js';

const RATES = { bytes: 1, quantized: 2, flops: 3 };

it('measures a machine once, for those who ask meanwhile and later, and for other threads', async () => {
  const rates = new MeasuredRates();
  let measured = 0;
  const measure = () => Promise.resolve({ ...RATES, bytes: ++measured });
  const [one, other] = await Promise.all([rates.of('card', measure), rates.of('card', measure)]);
  expect(other).toEqual(one);
  expect(await rates.of('card', measure)).toEqual(one);
  // Plain data, as a message carries it.
  const elsewhere = new MeasuredRates(structuredClone(rates.all));
  expect(await elsewhere.of('card', measure)).toEqual(one);
  expect(measured).toBe(1);
  await elsewhere.of('threads', measure);
  rates.add(elsewhere.all);
  expect(Object.keys(rates.all)).toEqual(['card', 'threads']);
});

it('goes on for one job where another that measures is cancelled or fails', async () => {
  const rates = new MeasuredRates();
  let fail: (error: Error) => void = () => undefined;
  const first = rates.of('card', () => new Promise((_, reject) => (fail = reject)));
  const second = rates.of('card', () => Promise.resolve(RATES));
  const abort = new AbortController();
  const third = rates.of('card', () => Promise.resolve(RATES), abort.signal);
  abort.abort();
  fail(new Error('It was lost'));
  await expect(first).rejects.toThrow('It was lost');
  expect(await second).toEqual(RATES);
  expect(isCancelled(await third.catch((error: unknown) => error))).toBe(true);
});
