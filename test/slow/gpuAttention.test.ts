// Attention on a device against soft-maxima in f64.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/kernels/webgpu/gpu.js';
import { GpuForwardKernels } from '../../src/kernels/webgpu/gpuForwardKernels.js';
import { Random } from '../support/forwardScene.js';
import { openTestGpu, whyNoGpu } from '../support/gpu.js';
import { GpuScene, withLimits, worstError } from '../support/gpuScene.js';

const why = await whyNoGpu();
if (why) console.log(`Attention on a GPU is not tested: ${why}`);

let gpu: Gpu;
const random = new Random(7);

beforeAll(async () => {
  if (!why) gpu = await openTestGpu({ smallestLimits: true });
});
afterAll(() => gpu?.destroy());

interface Shape {
  readonly rows: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly window?: number;
  readonly softCap?: number;
  readonly scale?: number;
  /** Floats between heads and rows. */
  readonly gap?: number;
  readonly device?: Gpu;
}

type Row = (row: number, head: number) => Float32Array;

function plainAttention(shape: Required<Omit<Shape, 'gap' | 'device'>>, q: Row, k: Row, v: Row) {
  const { rows, heads, keyValueHeads, headSize, window, softCap, scale } = shape;
  const output: number[] = [];
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  for (let row = 0; row < rows; row++) {
    for (let head = 0; head < heads; head++) {
      const other = Math.floor(head / (heads / keyValueHeads));
      const first = window > 0 ? Math.max(0, row - window + 1) : 0;
      const scores = Array.from({ length: row - first + 1 }, (_, i) => {
        const score = scale * dot(q(row, head), k(first + i, other));
        return softCap > 0 ? softCap * Math.tanh(score / softCap) : score;
      });
      const largest = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - largest));
      const sum = weights.reduce((a, b) => a + b, 0);
      for (let i = 0; i < headSize; i++) {
        let mixed = 0;
        weights.forEach((weight, key) => (mixed += weight * v(first + key, other)[i]));
        output.push(mixed / sum);
      }
    }
  }
  return output;
}

/** The worst error of attention over queries, keys and values that lie side by side. */
async function measure({ gap = 0, device = gpu, ...rest }: Shape): Promise<number> {
  const shape = { window: 0, softCap: 0, scale: 1 / Math.sqrt(rest.headSize), ...rest };
  const { rows, heads, keyValueHeads, headSize } = shape;
  const step = headSize + gap;
  const columns = (heads + 2 * keyValueHeads) * step;
  const data = random.floats(rows * columns, 1.5);
  const scene = new GpuScene(device);
  const projected = scene.matrix(rows, columns, data, { gap, lead: 4 });
  const { view, stride } = projected;
  const from = (head: number) => ({
    view: { ...view, offset: view.offset + head * step * 4, bytes: view.bytes - head * step * 4 },
    stride,
  });
  const output = scene.matrix(rows, heads * headSize);
  new GpuForwardKernels(device).attend({
    ...shape,
    queries: projected,
    queryStride: step,
    keys: from(heads),
    keyStride: step,
    values: from(heads + keyValueHeads),
    valueStride: step,
    output,
  });
  const at =
    (first: number): Row =>
    (row, head) => {
      const start = row * columns + (first + head) * step;
      return data.subarray(start, start + headSize);
    };
  const wanted = plainAttention(shape, at(0), at(heads), at(heads + keyValueHeads));
  return worstError(await scene.read(output, rows, heads * headSize), wanted);
}

const BOUND = 2e-6;

describe.skipIf(why)('attention', () => {
  it.each([
    { rows: 1, heads: 1, keyValueHeads: 1, headSize: 3 },
    { rows: 33, heads: 3, keyValueHeads: 1, headSize: 17 },
    { rows: 64, heads: 2, keyValueHeads: 2, headSize: 64 },
    { rows: 100, heads: 4, keyValueHeads: 2, headSize: 80 },
    { rows: 65, heads: 2, keyValueHeads: 1, headSize: 112, gap: 4 },
    { rows: 70, heads: 1, keyValueHeads: 1, headSize: 256 },
    { rows: 70, heads: 1, keyValueHeads: 1, headSize: 191, gap: 1 },
  ])('has $rows positions, $heads heads of $headSize', async (shape) => {
    expect(await measure(shape)).toBeLessThan(BOUND);
  });

  it('sees a window of positions', async () => {
    for (const window of [1, 7, 32, 64, 100, 149, 150, 1000]) {
      const shape = { rows: 150, heads: 2, keyValueHeads: 1, headSize: 16, window };
      expect(await measure(shape)).toBeLessThan(BOUND);
    }
  });

  it('caps scores', async () => {
    const shape = { rows: 70, heads: 2, keyValueHeads: 1, headSize: 20, softCap: 3, scale: 1 };
    expect(await measure(shape)).toBeLessThan(BOUND);
    expect(await measure({ ...shape, window: 9, scale: 30 })).toBeLessThan(1e-5);
  });

  it('stands scores of any size', async () => {
    const shape = { rows: 130, heads: 1, keyValueHeads: 1, headSize: 16, scale: 20 };
    // Rounding of the scores themselves grows with them.
    expect(await measure(shape)).toBeLessThan(1e-4);
  });

  it('is done in parts where bindings are small', async () => {
    const shape = { rows: 150, heads: 4, keyValueHeads: 2, headSize: 16, window: 70 };
    const queriesOnly = withLimits(gpu, { bindingBytes: 60_000, workgroups: 3 });
    expect(await measure({ ...shape, device: queriesOnly })).toBeLessThan(BOUND);
    const all = withLimits(gpu, { bindingBytes: 20_000 });
    expect(await measure({ ...shape, device: all })).toBeLessThan(BOUND);
    expect(await measure({ ...shape, headSize: 15, device: all })).toBeLessThan(BOUND);
  });

  it('leaves nothing behind where it copies', async () => {
    const device = withLimits(gpu, { bindingBytes: 8_000 });
    const scene = new GpuScene(device);
    const kernels = new GpuForwardKernels(device);
    const projected = scene.matrix(64, 60, random.floats(64 * 60));
    const task = {
      ...{ rows: 64, heads: 4, keyValueHeads: 4, headSize: 5, scale: 1, window: 0, softCap: 0 },
      ...{ queries: projected, keys: projected, values: projected },
      ...{ queryStride: 5, keyStride: 5, valueStride: 5 },
      output: scene.matrix(64, 20),
    };
    // Which copies first, since it reads and writes one buffer.
    const record = () => {
      kernels.attend(task);
      kernels.add({ source: projected, target: projected, rows: 3, columns: 5 });
    };
    for (let i = 0; i < 12; i++) record();
    await gpu.finish();
    const before = gpu.counts;
    for (let i = 0; i < 24; i++) record();
    await gpu.finish();
    expect(gpu.counts).toEqual(before);
  });
});
