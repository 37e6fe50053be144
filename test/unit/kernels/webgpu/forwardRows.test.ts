// Norms, rotations, activations and copies on a device against the same in f64.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Activation } from '../../../../src/kernels/forwardKernels.js';
import { ACTIVATION_CATALOGUE } from '../../../../src/formats/index.js';
import { scaleOfRange } from '../../../../src/kernels/forwardKernels.js';
import { activations } from '../../../../src/kernels/reference/forward/functions.js';
import { roundRow } from '../../../../src/kernels/reference/forward/rounding.js';
import type { Gpu } from '../../../../src/kernels/webgpu/gpu.js';
import { GpuForwardKernels } from '../../../../src/kernels/webgpu/gpuForwardKernels.js';
import { Random } from '../../../support/forwardScene.js';
import { openTestGpu, whyNoGpu } from '../../../support/gpu.js';
import { GpuScene, withLimits, worstError } from '../../../support/gpuScene.js';

const why = await whyNoGpu();
if (why) console.log(`Loops over rows on a GPU are not tested: ${why}`);

let gpu: Gpu;
let scene: GpuScene;
let kernels: GpuForwardKernels;
/** Kernels of a device with little room. */
let cramped: GpuForwardKernels;
const random = new Random(3);

beforeAll(async () => {
  if (why) return;
  gpu = await openTestGpu({ smallestLimits: true });
  scene = new GpuScene(gpu);
  kernels = new GpuForwardKernels(gpu);
  cramped = new GpuForwardKernels(withLimits(gpu, { bindingBytes: 10_000, workgroups: 3 }));
});
afterAll(() => gpu?.destroy());

const EPSILON = 1e-5;

/** Norms of runs of a row, in f64. */
function plainNorm(
  x: Float32Array,
  columns: number,
  isCentered: boolean,
  scaled: (value: number, run: number, i: number) => number,
): number[] {
  const result: number[] = [];
  for (let run = 0; run < x.length / columns; run++) {
    const values = Array.from(x.subarray(run * columns, (run + 1) * columns));
    const mean = isCentered ? values.reduce((a, b) => a + b, 0) / columns : 0;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / columns;
    const root = Math.sqrt(variance + EPSILON);
    values.forEach((v, i) => result.push(scaled((v - mean) / root, run, i)));
  }
  return result;
}

describe.skipIf(why)('a norm', () => {
  it.each([
    [1, 1],
    [3, 97],
    [7, 1030],
  ])('of %i rows of %i', async (rows, columns) => {
    const x = random.floats(rows * columns, 2).map((v) => v + 3);
    const [w, b] = [random.floats(columns), random.floats(columns)];
    const [weight, bias] = [scene.put(w), scene.put(b)];
    for (const runner of [kernels, cramped]) {
      const source = scene.matrix(rows, columns, x);
      const target = scene.matrix(rows, columns, undefined, { gap: 1, lead: 2 });
      const task = { source, rows, columns, epsilon: EPSILON };
      runner.rmsNorm({ ...task, target, weight, weightOffset: 1 });
      const rms = plainNorm(x, columns, false, (v, _, i) => v * (w[i] + 1));
      expect(worstError(await scene.read(target, rows, columns), rms)).toBeLessThan(1e-6);
      runner.layerNorm({ ...task, target: source, weight, bias });
      const layer = plainNorm(x, columns, true, (v, _, i) => v * w[i] + b[i]);
      expect(worstError(await scene.read(source, rows, columns), layer)).toBeLessThan(2e-6);
    }
  });

  it('without weights', async () => {
    const x = random.floats(3 * 50);
    const source = scene.matrix(3, 50, x);
    kernels.layerNorm({ source, target: source, rows: 3, columns: 50, epsilon: EPSILON });
    const wanted = plainNorm(x, 50, true, (v) => v);
    expect(worstError(await scene.read(source, 3, 50), wanted)).toBeLessThan(1e-6);
  });

  it.each([true, false])('of heads, each with its own weights: %s', async (ownWeights) => {
    const [rows, count, columns, stride] = [5, 3, 33, 40];
    const x = random.floats(rows * count * stride);
    const runs = Float32Array.from({ length: rows * count * columns }, (_, i) => {
      const run = Math.floor(i / columns);
      return x[run * stride + (i % columns)];
    });
    const w = random.floats(count * columns);
    const heads = { count, stride, ownWeights };
    const weightOf = (run: number, i: number) =>
      ownWeights ? w[(run % count) * columns + i] : w[i];
    for (const runner of [kernels, cramped]) {
      const source = scene.matrix(rows, count * stride, x);
      const task = { source, target: source, rows, columns, epsilon: EPSILON, heads };
      runner.rmsNorm({ ...task, weight: scene.put(w), weightOffset: 0 });
      const wanted = plainNorm(runs, columns, false, (v, run, i) => v * weightOf(run, i));
      const values = await scene.read(source, rows, columns, heads);
      expect(worstError(values, wanted)).toBeLessThan(1e-6);
    }
  });
});

describe.skipIf(why)('a rotation', () => {
  it.each([true, false])('in place, interleaved: %s', async (interleaved) => {
    const [rows, heads, headStride, dims, position] = [9, 3, 21, 14, 4];
    const x = random.floats(rows * heads * headStride);
    const half = dims / 2;
    const angles = Array.from({ length: (rows + position) * half }, () => random.next() * 7);
    const cos = Float32Array.from(angles, Math.cos);
    const sin = Float32Array.from(angles, Math.sin);
    const wanted: number[] = [];
    for (let run = 0; run < rows * heads; run++) {
      const head = x.slice(run * headStride, run * headStride + dims);
      for (let i = 0; i < half; i++) {
        const [first, second] = interleaved ? [2 * i, 2 * i + 1] : [i, i + half];
        const at = (position + Math.floor(run / heads)) * half + i;
        const [a, b] = [head[first], head[second]];
        head[first] = a * cos[at] - b * sin[at];
        head[second] = b * cos[at] + a * sin[at];
      }
      wanted.push(...head);
    }
    for (const runner of [kernels, cramped]) {
      const values = scene.matrix(rows, heads * headStride, x);
      const tables = { cos: scene.put(cos), sin: scene.put(sin) };
      runner.rotate({
        ...{ values, rows, heads, headStride, dims, interleaved, position },
        ...tables,
      });
      const result = await scene.read(values, rows, dims, { count: heads, stride: headStride });
      expect(worstError(result, wanted)).toBeLessThan(1e-6);
    }
  });
});

describe.skipIf(why)('an activation', () => {
  const [rows, columns] = [7, 331];
  const x = Float32Array.from({ length: rows * columns }, (_, i) => {
    if (i < 20) return [-200, -88, -30, -10, -1e-20, 0, 1e-30, 1e-8, 30, 88, 200][i % 11];
    return (i / (rows * columns) - 0.5) * 24;
  });

  it.each(Object.keys(activations) as Activation[])('%s', async (activation) => {
    const wanted = Array.from(x, activations[activation]);
    const gate = scene.matrix(rows, columns, x);
    kernels.activate({ activation, gate, rows, columns, target: gate });
    const values = await scene.read(gate, rows, columns);
    // Relative to each value: tails are as exact as the rest, as far as the functions in f64 know them.
    const least = activation.startsWith('gelu') ? 1e-10 : 1e-30;
    const scales = wanted.map((v) => Math.max(Math.abs(v), least));
    expect(worstError(values, wanted, scales)).toBeLessThan(activation === 'gelu' ? 1e-5 : 5e-6);
  });

  it('times another matrix, wherever they lie', async () => {
    const u = random.floats(rows * columns);
    const activation = 'silu';
    const wanted = Array.from(x, (v, i) => activations.silu(v) * u[i]);
    for (const runner of [kernels, cramped]) {
      const task = { activation, rows, columns } as const;
      const [gate, up] = [scene.matrix(rows, columns, x), scene.matrix(rows, columns, u)];
      const target = scene.matrix(rows, columns);
      runner.activate({ ...task, gate, up, target });
      expect(worstError(await scene.read(target, rows, columns), wanted)).toBeLessThan(1e-6);
      runner.activate({ ...task, gate, up, target: gate });
      expect(worstError(await scene.read(gate, rows, columns), wanted)).toBeLessThan(1e-6);
      const both = new Float32Array(rows * columns * 2);
      for (let row = 0; row < rows; row++) {
        both.set(u.subarray(row * columns, (row + 1) * columns), row * 2 * columns);
        both.set(x.subarray(row * columns, (row + 1) * columns), (row * 2 + 1) * columns);
      }
      const left = scene.matrix(rows, 2 * columns, both);
      const offset = left.view.offset + columns * 4;
      const right = { ...left, view: { ...left.view, offset } };
      runner.activate({ ...task, gate: right, up: left, target: right });
      expect(worstError(await scene.read(right, rows, columns), wanted)).toBeLessThan(1e-6);
    }
  });
});

describe.skipIf(why)('rows', () => {
  const [rows, columns] = [23, 59];
  const shape = { rows, columns };

  it('are added, copied, scaled and capped', async () => {
    const [a, b] = [random.floats(rows * columns), random.floats(rows * columns)];
    for (const runner of [kernels, cramped]) {
      const source = scene.matrix(rows, columns, a);
      const target = scene.matrix(rows, columns, b, { gap: 0, lead: 1 });
      const read = () => scene.read(target, rows, columns);
      runner.add({ source, target, ...shape });
      expect(await read()).toEqual(b.map((v, i) => v + a[i]));
      runner.copyRows({ source, target, ...shape });
      expect(await read()).toEqual(a);
      runner.scale(target, rows, columns, 0.37);
      const scaled = await read();
      expect(
        worstError(
          scaled,
          a.map((v) => v * 0.37),
        ),
      ).toBeLessThan(1e-7);
      runner.softCap(target, rows, columns, 0.4);
      const capped = Array.from(scaled, (v) => 0.4 * Math.tanh(v / 0.4));
      expect(worstError(await read(), capped, capped.map(Math.abs))).toBeLessThan(1e-6);
    }
  });

  it('are gathered and scattered', async () => {
    const a = random.floats(rows * columns);
    const b = random.floats(90 * columns);
    const w = random.floats(rows);
    // 37 and 90 have no common divisor: all differ.
    const places = Int32Array.from({ length: rows }, (_, i) => (i * 37) % 90);
    const indices = scene.put(places);
    for (const runner of [kernels, cramped]) {
      const target = scene.matrix(90, columns, b);
      const source = scene.matrix(rows, columns, a);
      runner.scatterAddRows({
        source,
        target,
        indices,
        targetRows: 90,
        ...shape,
        weights: scene.put(w),
      });
      const sums = Array.from(b);
      a.forEach((v, i) => {
        const row = Math.floor(i / columns);
        sums[places[row] * columns + (i % columns)] += w[row] * v;
      });
      expect(worstError(await scene.read(target, 90, columns), sums)).toBeLessThan(1e-6);
      const chosen = scene.matrix(rows, columns);
      runner.gatherRows({ source: target, sourceRows: 90, indices, target: chosen, ...shape });
      const wanted = a.map(
        (_, i) => sums[places[Math.floor(i / columns)] * columns + (i % columns)],
      );
      expect(worstError(await scene.read(chosen, rows, columns), wanted)).toBeLessThan(1e-6);
    }
  });

  it('stay as they are where an index names none', async () => {
    const target = scene.matrix(3, columns, new Float32Array(3 * columns).fill(9));
    const source = scene.matrix(2, columns, new Float32Array(2 * columns).fill(7));
    const indices = scene.put(Int32Array.of(-1, 1, 2));
    kernels.gatherRows({ source, sourceRows: 2, indices, target, rows: 3, columns });
    const values = await scene.read(target, 3, columns);
    expect([values[0], values[columns], values[2 * columns]]).toEqual([9, 7, 9]);
  });
});

describe.skipIf(why)('rounding of rows', () => {
  it.each(ACTIVATION_CATALOGUE)('$name: the bits of the reference', async (entry) => {
    const { levels, scaling } = entry;
    const scale = scaling === 'static' ? scaleOfRange(1.5, levels) : undefined;
    const [rows, columns] = [9, 131];
    const x = random.floats(rows * columns);
    // Zeros, halves of steps, what is not finite, small and large rows.
    x.fill(-0, 0, columns);
    for (let i = 0; i < columns; i++) {
      x[columns + i] = (i - 60) * 0.5 * (scale ?? 1);
      x[4 * columns + i] *= 1e-30;
      x[5 * columns + i] *= 1e37;
    }
    x[2 * columns + 100] = NaN;
    x[3 * columns + 7] = -Infinity;
    const expected = x.slice();
    for (let row = 0; row < rows; row++) {
      const values = expected.subarray(row * columns, (row + 1) * columns);
      roundRow(values, levels, scale, values);
    }
    for (const runner of [kernels, cramped]) {
      const source = scene.matrix(rows, columns, x);
      const target = scene.matrix(rows, columns, undefined, { gap: 1, lead: 2 });
      const task = { source, rows, columns, levels, scale };
      runner.roundRows({ ...task, target });
      expect(await scene.read(target, rows, columns)).toEqual(expected);
      runner.roundRows({ ...task, target: source });
      expect(await scene.read(source, rows, columns)).toEqual(expected);
    }
  });
});
