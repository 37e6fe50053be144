import { beforeEach, expect, it } from 'vitest';
import { LearntSpeeds } from '../../../src/vscode/comparison/learntSpeeds.js';

const FLOPS = 1e12;
let speeds: LearntSpeeds;

beforeEach(() => {
  const values = new Map<string, unknown>();
  speeds = new LearntSpeeds({
    get: <T>(key: string) => values.get(key) as T | undefined,
    update: (key, value) => values.set(key, value),
  });
});

it('keeps those of threads and of a GPU apart', () => {
  const guess = speeds.secondsFor(FLOPS, 4, 'wasm');
  speeds.learn('webgpu', 1e13, 4);
  expect(speeds.secondsFor(FLOPS, 4, 'wasm')).toBe(guess);
  expect(speeds.secondsFor(FLOPS, 4, 'webgpu')).toBeCloseTo(0.1);
  speeds.learn('wasm', 1e11, 4);
  expect(speeds.secondsFor(FLOPS, 4, 'wasm')).toBeCloseTo(10);
  // Twice as many threads, twice as fast; a GPU does not care.
  expect(speeds.secondsFor(FLOPS, 8, 'wasm')).toBeCloseTo(5);
  expect(speeds.secondsFor(FLOPS, 8, 'webgpu')).toBeCloseTo(0.1);
  expect(speeds.secondsFor(FLOPS, 8, 'reference')).toBeCloseTo(guess / 2);
});

it('takes the faster where the machine is chosen, and threads where no GPU has told', () => {
  speeds.learn('wasm', 1e11, 4);
  expect(speeds.secondsFor(FLOPS, 4, 'webgpu')).toBeCloseTo(10);
  expect(speeds.secondsFor(FLOPS, 4, 'auto')).toBeCloseTo(10);
  speeds.learn('webgpu', 1e13, 4);
  expect(speeds.secondsFor(FLOPS, 4, 'auto')).toBeCloseTo(0.1);
  speeds.learn('webgpu', 1e10, 4);
  expect(speeds.secondsFor(FLOPS, 4, 'auto')).toBeCloseTo(10);
});

it('learns nothing of runs that several machines shared, or that tell nothing', () => {
  const guess = speeds.secondsFor(FLOPS, 4, 'wasm');
  speeds.learn('webgpu, wasm', 1e13, 4);
  speeds.learn('wasm', 0, 4);
  speeds.learn('wasm', Number.NaN, 4);
  for (const choice of ['wasm', 'webgpu', 'auto'] as const) {
    expect(speeds.secondsFor(FLOPS, 4, choice)).toBe(guess);
  }
});
