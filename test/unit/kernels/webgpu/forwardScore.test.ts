// Scores, divergences and routes on a device against the same in f64.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCORE } from '../../../../src/kernels/forwardKernels.js';
import { divergeRow, scoreRow } from '../../../../src/kernels/reference/forward/score.js';
import type { Gpu, GpuView } from '../../../../src/kernels/webgpu/gpu.js';
import {
  GpuForwardKernels,
  LOWEST_SCORE,
} from '../../../../src/kernels/webgpu/gpuForwardKernels.js';
import { chooseExperts } from '../../../../src/model/forward/routing.js';
import { Random } from '../../../support/forwardScene.js';
import { openTestGpu, whyNoGpu } from '../../../support/gpu.js';
import { GpuScene, withLimits } from '../../../support/gpuScene.js';

const why = await whyNoGpu();
if (why) console.log(`Scores on a GPU are not tested: ${why}`);

let gpu: Gpu;
let scene: GpuScene;
const random = new Random(11);

beforeAll(async () => {
  if (why) return;
  gpu = await openTestGpu({ smallestLimits: true });
  scene = new GpuScene(gpu);
});
afterAll(() => gpu?.destroy());

type Rows = readonly Float32Array[];

/** Sums of rows in f64. */
function plainSums(logits: Rows, targets: readonly number[], base?: Rows): Float64Array[] {
  return logits.map((row, r) => {
    const sums = new Float64Array(SCORE.length);
    sums[SCORE.max] = sums[SCORE.divergenceMax] = sums[SCORE.reverseMax] = -Infinity;
    scoreRow(row, 0, targets[r], sums);
    if (base) divergeRow(base[r], row, Math.max(...base[r]), sums);
    return sums;
  });
}

/** Sums of rows on the device, tiles of the vocabulary in the order of their first tokens. */
async function gpuSums(
  logits: Rows,
  targets: readonly number[],
  starts: readonly number[],
  { base = logits, device = gpu } = {},
): Promise<Float64Array[]> {
  const kernels = new GpuForwardKernels(device);
  const rows = logits.length;
  const vocabulary = logits[0].length;
  const place = (): GpuView => scene.put(new Float32Array(rows * SCORE.length).fill(5));
  const [sums, baseSums] = [place(), place()];
  kernels.clearScores(sums, rows);
  kernels.clearScores(baseSums, rows);
  const ends = [...starts, vocabulary].sort((a, b) => a - b);
  for (const first of starts) {
    const end = ends[ends.indexOf(first) + 1];
    const columns = end - first;
    const tileOf = (from: Rows) => {
      const values = new Float32Array(rows * columns);
      from.forEach((row, r) => values.set(row.subarray(first, end), r * columns));
      return scene.matrix(rows, columns, values);
    };
    const [tile, baseTile] = [tileOf(logits), tileOf(base)];
    const task = { rows, columns, firstToken: first, targets: scene.put(Int32Array.from(targets)) };
    kernels.score({ ...task, logits: baseTile, sums: baseSums });
    kernels.score({ ...task, logits: tile, sums });
    kernels.diverge({ rows, columns, base: baseTile, logits: tile, baseSums, sums });
  }
  const bytes = await gpu.read({ ...sums, bytes: rows * SCORE.length * 4 });
  const floats = new Float32Array(bytes.buffer, 0, rows * SCORE.length);
  const words = new Uint32Array(bytes.buffer, 0, rows * SCORE.length);
  return logits.map((_, row) => {
    const of = Float64Array.from(floats.subarray(row * SCORE.length, (row + 1) * SCORE.length));
    of[SCORE.top] = words[row * SCORE.length + SCORE.top];
    return of;
  });
}

function expectClose(sums: readonly Float64Array[], wanted: readonly Float64Array[]): void {
  sums.forEach((row, r) => {
    const other = wanted[r];
    for (const exact of [
      SCORE.max,
      SCORE.top,
      SCORE.target,
      SCORE.divergenceMax,
      SCORE.reverseMax,
    ]) {
      expect(row[exact]).toBe(other[exact]);
    }
    expect(Math.abs(row[SCORE.sum] / other[SCORE.sum] - 1)).toBeLessThan(3e-7);
    const divergence = (row[SCORE.divergence] - other[SCORE.divergence]) / other[SCORE.sum];
    expect(Math.abs(divergence)).toBeLessThan(3e-7);
    const reverse = (row[SCORE.reverse] - other[SCORE.reverse]) / other[SCORE.sum];
    expect(Math.abs(reverse)).toBeLessThan(3e-7);
  });
}

describe.skipIf(why)('scores', () => {
  const rows = 5;
  const base = Array.from({ length: rows }, () => random.floats(3001, 3));
  const logits = base.map((row) => row.map((v) => v + 0.2 * random.normal()));
  const targets = [0, 3000, 1500, -1, 777];

  it('of tiles in any order', async () => {
    const wanted = plainSums(logits, targets, base);
    expectClose(await gpuSums(logits, targets, [0], { base }), wanted);
    expectClose(await gpuSums(logits, targets, [0, 700, 701, 1500], { base }), wanted);
    expectClose(await gpuSums(logits, targets, [1500, 0, 701, 700], { base }), wanted);
    const device = withLimits(gpu, { bindingBytes: 30_000, workgroups: 2 });
    expectClose(await gpuSums(logits, targets, [0, 999], { base, device }), wanted);
  });

  it('of a vocabulary whose probabilities lie far apart or close together', async () => {
    for (const scale of [0.01, 30]) {
      const some = [random.floats(20_000, scale)];
      const other = [some[0].map((v) => v + 0.05 * random.normal())];
      const wanted = plainSums(other, [5], some);
      expectClose(await gpuSums(other, [5], [0, 8192, 16384], { base: some }), wanted);
    }
  });

  it('name the first of the largest', async () => {
    const row = new Float32Array(900).fill(-2);
    for (const token of [60, 61, 400, 899]) row[token] = 5;
    for (const starts of [[0], [0, 300], [300, 0], [500, 61, 0]]) {
      const [sums] = await gpuSums([row], [61], starts);
      expect(sums[SCORE.top]).toBe(60);
      expect(sums[SCORE.target]).toBe(5);
    }
  });

  it('leave out tokens that the base excludes', async () => {
    const excluding = base.map((row) => row.map((v, i) => (i % 3 === 0 ? -Infinity : v)));
    const wanted = plainSums(logits, targets, excluding);
    const sums = await gpuSums(logits, targets, [0, 1000], { base: excluding });
    sums.forEach((row, r) => {
      const error = (row[SCORE.divergence] - wanted[r][SCORE.divergence]) / wanted[r][SCORE.sum];
      expect(Math.abs(error)).toBeLessThan(3e-7);
      expect(row[SCORE.reverse]).toBe(Infinity);
    });
  });

  it('say so where logits are not finite', async () => {
    for (const [value, sum, divergence] of [
      [NaN, NaN, NaN],
      [Infinity, NaN, NaN],
      [-Infinity, undefined, Infinity],
    ]) {
      const broken = logits.map((row) => row.slice());
      broken[2][1200] = value!;
      const sums = await gpuSums(broken, targets, [0, 1000, 2000], { base });
      if (sum !== undefined) expect(sums[2][SCORE.sum]).toBe(sum);
      expect(sums[2][SCORE.divergence]).toBe(divergence);
      const others = [0, 1, 3, 4];
      const wanted = plainSums(logits, targets, base);
      expectClose(
        others.map((row) => sums[row]),
        others.map((row) => wanted[row]),
      );
    }
  });

  it('start with nothing', async () => {
    const kernels = new GpuForwardKernels(gpu);
    const sums = scene.put(new Float32Array(300 * SCORE.length).fill(7));
    kernels.clearScores(sums, 299);
    const values = new Float32Array((await gpu.read(sums)).buffer, 0, 300 * SCORE.length);
    expect([...values.subarray(298 * 8, 299 * 8)]).toEqual([
      LOWEST_SCORE,
      0,
      0,
      0,
      LOWEST_SCORE,
      0,
      LOWEST_SCORE,
      0,
    ]);
    expect(values[299 * 8]).toBe(7);
  });
});

describe.skipIf(why)('routes', () => {
  it.each([
    { experts: 8, expertsPerRow: 2, normalized: true },
    { experts: 131, expertsPerRow: 9, normalized: false },
    { experts: 5, expertsPerRow: 5, normalized: true },
  ])('to $expertsPerRow of $experts experts, normalized: $normalized', async (shape) => {
    const { experts, expertsPerRow, normalized } = shape;
    const rows = 21;
    // Few different values, so that many are equal.
    const values = random
      .floats(rows * experts)
      .map((v, i) => (i < 500 ? Math.round(v * 2) / 2 : v));
    values.fill(0, 0, experts);
    values[experts + 1] = NaN;
    values[2 * experts] = Infinity;
    values[3 * experts + 2] = -Infinity;
    values.fill(-Infinity, 4 * experts, 5 * experts);
    const logits = scene.matrix(rows, experts, values);
    for (const device of [gpu, withLimits(gpu, { bindingBytes: 3000, workgroups: 4 })]) {
      const routes = scene.put(new Int32Array(rows * 2 * expertsPerRow).fill(-5));
      new GpuForwardKernels(device).route({ logits, rows, routes, ...shape });
      const { buffer } = await gpu.read(routes);
      for (let row = 0; row < rows; row++) {
        const chosen = new Int32Array(expertsPerRow);
        const weights = new Float32Array(expertsPerRow);
        const of = values.subarray(row * experts, (row + 1) * experts);
        chooseExperts(of, normalized, chosen, weights);
        const at = row * 2 * expertsPerRow * 4;
        expect(new Int32Array(buffer, at, expertsPerRow)).toEqual(chosen);
        const result = new Float32Array(buffer, at + expertsPerRow * 4, expertsPerRow);
        result.forEach((weight, i) => {
          if (Number.isNaN(weights[i])) expect(weight).toBeNaN();
          else expect(Math.abs(weight - weights[i])).toBeLessThanOrEqual(1e-6 * weights[i]);
        });
      }
    }
  });
});
