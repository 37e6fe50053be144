// Products on a device against sums in f64.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/kernels/webgpu/gpu.js';
import { GpuForwardKernels } from '../../src/kernels/webgpu/gpuForwardKernels.js';
import { Random } from '../support/forwardScene.js';
import { openTestGpu, whyNoGpu } from '../support/gpu.js';
import { GpuScene, withLimits, worstError, type MatrixPlace } from '../support/gpuScene.js';

const why = await whyNoGpu();
if (why) console.log(`Products on a GPU are not tested: ${why}`);

let gpu: Gpu;
let random = new Random(1);

beforeAll(async () => {
  if (!why) gpu = await openTestGpu({ smallestLimits: true });
});
afterAll(() => gpu?.destroy());

interface Shape {
  readonly rows: number;
  readonly outputs: number;
  readonly columns: number;
}

/** Sums in f64, and the roots of the sums of squares of what is added. */
function plainProduct(
  { rows, outputs, columns }: Shape,
  x: Float32Array,
  w: Float32Array,
  start: (row: number, output: number) => number,
): { sums: Float64Array; scales: Float64Array } {
  const sums = new Float64Array(rows * outputs);
  const scales = new Float64Array(rows * outputs);
  for (let m = 0; m < rows; m++) {
    for (let n = 0; n < outputs; n++) {
      let sum = start(m, n);
      let squares = sum * sum;
      for (let k = 0; k < columns; k++) {
        const product = x[m * columns + k] * w[n * columns + k];
        sum += product;
        squares += product * product;
      }
      sums[m * outputs + n] = sum;
      scales[m * outputs + n] = Math.sqrt(squares * columns);
    }
  }
  return { sums, scales };
}

interface Options extends MatrixPlace {
  readonly bias?: boolean;
  readonly accumulate?: boolean;
  readonly device?: Gpu;
}

/** The worst error of a product, in units of √k times the root of the sum of squares. */
async function measure(shape: Shape, options: Options = {}): Promise<number> {
  const { bias = true, accumulate = false, device = gpu } = options;
  const { rows, outputs, columns } = shape;
  const scene = new GpuScene(device);
  const x = random.floats(rows * columns);
  const w = random.floats(outputs * columns);
  const b = random.floats(outputs);
  const y = random.floats(rows * outputs);
  const output = scene.matrix(rows, outputs, y);
  new GpuForwardKernels(device).multiply({
    inputs: scene.matrix(rows, columns, x, options),
    weights: scene.put(w),
    bias: bias ? scene.put(b) : undefined,
    output,
    accumulate,
    ...shape,
  });
  const start = (m: number, n: number): number =>
    (bias ? b[n] : 0) + (accumulate ? y[m * outputs + n] : 0);
  const { sums, scales } = plainProduct(shape, x, w, start);
  return worstError(await scene.read(output, rows, outputs), sums, scales);
}

const BOUND = 3e-7;

describe.skipIf(why)('a product', () => {
  const vectors = { gap: 4, lead: 8 };

  it.each([
    [1, 1, 1],
    [1, 300, 67],
    [5, 70, 33],
    [63, 65, 100],
    [65, 129, 257],
  ])('has %i rows, %i outputs and %i inputs', async (rows, outputs, columns) => {
    const shape = { rows, outputs, columns };
    expect(await measure(shape)).toBeLessThan(BOUND);
    expect(await measure(shape, { bias: false, accumulate: true })).toBeLessThan(BOUND);
  });

  it.each([
    [1, 64, 64],
    [64, 64, 4],
    [67, 70, 100],
    [130, 66, 256],
  ])('is of vectors: %i rows, %i outputs, %i inputs', async (rows, outputs, columns) => {
    const shape = { rows, outputs, columns };
    expect(await measure(shape, vectors)).toBeLessThan(BOUND);
    expect(await measure(shape, { ...vectors, accumulate: true })).toBeLessThan(BOUND);
  });

  it('has large tiles', async () => {
    expect(await measure({ rows: 130, outputs: 6020, columns: 20 }, vectors)).toBeLessThan(BOUND);
  });

  it('adds many products as exactly as f32 allows', async () => {
    expect(await measure({ rows: 3, outputs: 5, columns: 20_000 }, vectors)).toBeLessThan(BOUND);
  });

  it('is done in parts where bindings or dispatches are small', async () => {
    const small = withLimits(gpu, { bindingBytes: 20_000, workgroups: 2 });
    const shape = { rows: 300, outputs: 270, columns: 21 };
    expect(await measure(shape, { device: small })).toBeLessThan(BOUND);
    const even = { rows: 300, outputs: 270, columns: 24 };
    expect(await measure(even, { ...vectors, device: small })).toBeLessThan(BOUND);
    const long = { rows: 9, outputs: 7, columns: 1500 };
    expect(await measure(long, { ...vectors, device: small, accumulate: true })).toBeLessThan(
      BOUND,
    );
  });

  it('leaves nothing behind', async () => {
    const scene = new GpuScene(gpu);
    const kernels = new GpuForwardKernels(gpu);
    const [rows, outputs, columns] = [3, 4, 5];
    const task = {
      ...{ rows, outputs, columns },
      inputs: scene.matrix(rows, columns, random.floats(15)),
      weights: scene.put(random.floats(20)),
      output: scene.matrix(rows, outputs),
    };
    kernels.multiply(task);
    const before = gpu.counts;
    for (let i = 0; i < 140; i++) kernels.multiply(task);
    await gpu.finish();
    expect(gpu.counts).toEqual(before);
  });
});

describe.skipIf(why)('a product of packed weights', () => {
  interface Packing {
    readonly groupSize: number;
    readonly levels?: boolean;
    readonly negative?: boolean;
    readonly device?: Gpu;
  }

  async function measurePacked(shape: Shape, packing: Packing & MatrixPlace): Promise<number> {
    const { groupSize, levels, negative, device = gpu } = packing;
    const { rows, outputs, columns } = shape;
    random = new Random(columns);
    const groups = Math.ceil(columns / groupSize);
    const rowWords = Math.ceil(columns / 8);
    const codes = new Uint32Array(outputs * rowWords);
    // What lies behind a row's codes means nothing.
    codes.forEach((_, i) => (codes[i] = random.next() * 2 ** 32));
    const scales = random.floats(outputs * groups).map((v) => Math.abs(v) + 0.1);
    const negativeScales = random.floats(outputs * groups).map((v) => Math.abs(v) + 0.1);
    const zeros = random.floats(outputs * groups).map((v) => Math.round(v + 8));
    const table = random.floats(16);
    const w = new Float32Array(outputs * columns);
    w.forEach((_, i) => {
      const [n, k] = [Math.floor(i / columns), i % columns];
      const code = (codes[n * rowWords + Math.floor(k / 8)] >>> ((k % 8) * 4)) & 15;
      const group = n * groups + Math.floor(k / groupSize);
      const value = levels ? table[code] : code - zeros[group];
      w[i] = (negative && value < 0 ? negativeScales : scales)[group] * value;
    });
    const scene = new GpuScene(device);
    const x = random.floats(rows * columns);
    const output = scene.matrix(rows, outputs);
    new GpuForwardKernels(device).multiplyPacked({
      ...shape,
      inputs: scene.matrix(rows, columns, x, packing),
      codes: scene.put(codes),
      groupSize,
      scales: scene.put(scales),
      negativeScales: negative ? scene.put(negativeScales) : undefined,
      decoding: levels ? { levels: scene.put(table) } : { zeroPoints: scene.put(zeros) },
      output,
    });
    const wanted = plainProduct(shape, x, w, () => 0);
    return worstError(await scene.read(output, rows, outputs), wanted.sums, wanted.scales);
  }

  it.each([
    { groupSize: 32 },
    { groupSize: 9 },
    { groupSize: 128, levels: true, negative: true, gap: 4, lead: 8 },
  ])('decodes $groupSize weights at a time (levels: $levels, AFPQ: $negative)', async (packing) => {
    for (const columns of packing.gap ? [256] : [131, 3]) {
      const shape = { rows: 66, outputs: 67, columns };
      expect(await measurePacked(shape, packing)).toBeLessThan(BOUND);
    }
  });

  it('has large tiles, and parts where bindings are small', async () => {
    const large = { rows: 130, outputs: 6017, columns: 12 };
    expect(await measurePacked(large, { groupSize: 8 })).toBeLessThan(BOUND);
    const device = withLimits(gpu, { bindingBytes: 20_000, workgroups: 2 });
    const shape = { rows: 40, outputs: 1000, columns: 21 };
    expect(await measurePacked(shape, { groupSize: 4, device })).toBeLessThan(BOUND);
  });
});
