// Sums over inputs that calibrated methods ask for.
import { describe, expect, it } from 'vitest';
import type { WorkerPool } from '../../../src/compute/workerPool.js';
import {
  addGram,
  addStatistics,
  clearGram,
  clearStatistics,
  mirrorGram,
  placeStatistics,
  readStatistics,
  statisticsBytes,
} from '../../../src/methods/gram/gram.js';
import { sharedPool } from '../../support/sharedPool.js';
import { Random } from '../../support/forwardScene.js';
import { plainGram } from '../../support/gptq.js';

const GAP = 5;

/** Rows of inputs in a pool's memory, some floats apart. */
function place(pool: WorkerPool, x: Float32Array, inputs: number) {
  const rows = x.length / inputs;
  const stride = inputs + GAP;
  const at = pool.reserve(rows * stride * 4).start;
  const view = new Float32Array(pool.memory.buffer, at, rows * stride).fill(NaN);
  for (let row = 0; row < rows; row++) {
    view.set(x.subarray(row * inputs, (row + 1) * inputs), row * stride);
  }
  return { at, stride };
}

/** The gram of rows that come in two calls. */
async function gramOf(
  pool: WorkerPool,
  x: Float32Array,
  inputs: number,
  firstRows: number,
): Promise<Float64Array> {
  const gram = { at: pool.reserve(inputs * inputs * 8).start, order: inputs };
  const first = place(pool, x.subarray(0, firstRows * inputs), inputs);
  const second = place(pool, x.subarray(firstRows * inputs), inputs);
  await clearGram(pool, gram);
  await addGram(pool, gram, first, firstRows);
  await addGram(pool, gram, second, x.length / inputs - firstRows);
  await mirrorGram(pool, gram);
  return new Float64Array(pool.memory.buffer, gram.at, inputs * inputs).slice();
}

describe.each(['reference', 'wasm'] as const)('sums over inputs with %s kernels', (backend) => {
  it.each([
    [1, 1],
    [3, 7],
    [300, 9],
    [520, 64],
    [40, 133],
    [700, 270],
  ])(
    '%i rows of %i inputs: the gram is that of f64, to what runs of f32 lose',
    async (rows, inputs) => {
      const pool = await sharedPool({ backend });
      const x = new Random(rows).floats(rows * inputs);
      const gram = await gramOf(pool, x, inputs, Math.ceil(rows / 3));
      const exact = plainGram(x, inputs);
      let outside = 0;
      let asymmetric = 0;
      gram.forEach((value, at) => {
        const [i, j] = [Math.floor(at / inputs), at % inputs];
        const size = Math.sqrt(exact[i * inputs + i] * exact[j * inputs + j]);
        if (!(Math.abs(value - exact[at]) <= 2e-6 * size)) outside++;
        if (value !== gram[j * inputs + i]) asymmetric++;
      });
      expect({ outside, asymmetric }).toEqual({ outside: 0, asymmetric: 0 });
    },
  );

  it('finds mean and largest |x|, smallest and largest x', async () => {
    const pool = await sharedPool({ backend });
    const [rows, inputs] = [37, 26];
    const x = new Random(5).floats(rows * inputs);
    for (let row = 0; row < rows; row++) x[row * inputs + 4] = 0;
    const placed = placeStatistics(pool.reserve(statisticsBytes(inputs)).start, inputs);
    const source = { inputs: place(pool, x, inputs), rows, columns: inputs, placed };
    await clearStatistics(pool, source);
    await addStatistics(pool, { ...source, rows: 20 });
    const rest = { at: source.inputs.at + 20 * (inputs + GAP) * 4, stride: inputs + GAP };
    await addStatistics(pool, { ...source, inputs: rest, rows: rows - 20 });
    const { meanAbs, maxAbs, min, max } = await readStatistics(pool, source);
    for (let i = 0; i < inputs; i++) {
      const column = Array.from({ length: rows }, (_, row) => x[row * inputs + i]);
      const sizes = column.map(Math.abs);
      expect(meanAbs[i]).toBe(Math.fround(sizes.reduce((sum, size) => sum + size, 0) / rows));
      expect(maxAbs[i]).toBe(Math.max(...sizes) + 0);
      expect(min[i] + 0).toBe(Math.min(...column) + 0);
      expect(max[i] + 0).toBe(Math.max(...column) + 0);
    }
  });
});

it('grams have the same bits with any number of threads', async () => {
  const [rows, inputs] = [600, 301];
  const x = new Random(9).floats(rows * inputs);
  const results = new Set<string>();
  for (const threads of [1, 2, 3]) {
    const gram = await gramOf(await sharedPool({ threads }), x, inputs, 100);
    results.add(Buffer.from(gram.buffer).toString('base64'));
  }
  expect(results.size).toBe(1);
});
