// Vector quantization: its step against plain loops, its name, and the bits that it counts.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WorkerPool } from '../../../src/compute/workerPool.js';
import { roundToF16 } from '../../../src/formats/float32.js';
import { findMethod } from '../../../src/methods/index.js';
import { parseScheme, schemeLabel } from '../../../src/methods/schemes.js';
import { countSchemeBits } from '../../../src/methods/storage.js';
import { columnGroups, readSettings } from '../../../src/methods/vptq/settings.js';
import { drawPlaces } from '../../../src/methods/vptq/trainCodebook.js';
import { createPool, HOST } from '../../support/checkpoints.js';
import { FIRST_FREE, wasmForward } from '../../support/forwardKernels.js';
import { Random } from '../../support/forwardScene.js';
import { plainGram } from '../../support/gptq.js';
import { ReferenceCalibrationKernels } from '../../../src/kernels/reference/calibration/referenceCalibration.js';
import { quantizeVectors, vptqOptions, type VptqScene } from '../../support/vptq.js';

/** Weights and products of inputs that go together, as those of a model do. */
function layer(outputs: number, inputs: number, rows: number, seed = 1): VptqScene {
  const random = new Random(seed);
  const x = random.floats(rows * inputs);
  for (let i = 1; i < x.length; i++) if (i % inputs > 0) x[i] += 0.6 * x[i - 1];
  const weights = random.floats(outputs * inputs, 0.05);
  return { weights, outputs, inputs, rows, gram: plainGram(x, inputs) };
}

/** tr(E·H·Eᵀ). */
function lossOf({ outputs, inputs, gram }: VptqScene, error: (at: number) => number): number {
  let sum = 0;
  for (let row = 0; row < outputs; row++) {
    for (let i = 0; i < inputs; i++) {
      for (let j = 0; j < inputs; j++) {
        sum += error(row * inputs + i) * error(row * inputs + j) * gram[i * inputs + j];
      }
    }
  }
  return sum;
}

let pool: WorkerPool;
beforeAll(async () => {
  pool = await WorkerPool.create({ ...HOST, parallelism: 2 }, { threads: 2 });
});
afterAll(() => pool.dispose());

describe('the nearest centroids', () => {
  it.each([
    [1, 1, 3],
    [7, 4, 16],
    [8, 4, 256],
    [29, 4, 5],
    [40, 6, 33],
    [17, 2, 9],
  ])('of %i vectors of %i among %i have the same places in both kernels', async (...sizes) => {
    const [count, length, centroids] = sizes;
    const stride = count + 3;
    const random = new Random(count);
    const vectors = random.floats(stride * length);
    const book = random.floats(centroids * length);
    // Equally near ones: the first counts.
    book.copyWithin((centroids - 1) * length, 0, length);
    for (let u = 0; u < length; u++) vectors[u * stride] = book[u];
    const at = FIRST_FREE;
    const codebook = at + vectors.byteLength + 64;
    const target = codebook + book.byteLength + 64;
    const results = (await wasmForward(1 << 16)).map(({ memory, calibration }) => {
      new Float32Array(memory.buffer, at, vectors.length).set(vectors);
      new Float32Array(memory.buffer, codebook, book.length).set(book);
      const places = new Int32Array(memory.buffer, target, count + 1);
      const search = { vectors: { at, stride }, count, length, codebook, centroids, target };
      places.fill(-7);
      calibration.findNearest(search);
      const fast = [...places];
      places.fill(-7);
      new ReferenceCalibrationKernels(memory).findNearest(search);
      expect(fast).toEqual([...places]);
      return fast;
    });
    expect(results.length).toBeGreaterThan(0);
    expect([results[0][0], results[0][count]]).toEqual([0, -7]);
  });
});

describe('VPTQ', () => {
  it.each([
    ['vptq-v4-k16', 32, 40],
    // Vectors reach beyond the last output.
    ['vptq-v6-k32:damp=0.05', 50, 30],
    ['vptq-v4-k16-r8:perm', 64, 150],
    ['vptq-v3-k8-r4:norm:quip', 48, 20],
    // Vectors of outliers and others end at different rows.
    ['vptq-v8-k16:outliers=5:outlier-v=3:outlier-k=32:groups=3', 70, 61],
    ['vptq-v1-k4', 33, 17],
  ])('%s of %i × %i: findings say what the weights have lost', async (name, outputs, inputs) => {
    const scene = layer(outputs, inputs, 2 * inputs + 10);
    const { weights, finding } = await quantizeVectors(pool, scene, name);
    const { kMeansProxy, passProxy, residualProxy, loss } = finding.values;
    const lost = lossOf(scene, (at) => weights[at] - scene.weights[at]);
    const last = Number(residualProxy ?? passProxy);
    expect(Number(loss) / (lost / scene.rows!)).toBeCloseTo(1, 5);
    expect(last / (lost / lossOf(scene, (at) => scene.weights[at]))).toBeCloseTo(1, 5);
    expect(passProxy).toBeLessThan(Number(kMeansProxy));
    if (residualProxy !== undefined) expect(residualProxy).toBeLessThan(Number(passProxy));
    expect(finding.notes).toEqual([]);
  });

  it('gives vectors of a codebook of f16, each of them a whole vector', async () => {
    const scene = layer(36, 25, 80);
    const { weights } = await quantizeVectors(pool, scene, 'vptq-v4-k8');
    const found = new Set<string>();
    for (let column = 0; column < 25; column++) {
      for (let row = 0; row < 36; row += 4) {
        found.add([0, 1, 2, 3].map((u) => weights[(row + u) * 25 + column]).join());
      }
    }
    expect(found.size).toBeLessThanOrEqual(8);
    expect(found.size).toBeGreaterThan(5);
    expect(weights.every((value) => roundToF16(value) === value)).toBe(true);
  });

  it('keeps weights that a codebook has room for', async () => {
    const scene = layer(8, 6, 30);
    const weights = scene.weights.map(roundToF16);
    const result = await quantizeVectors(pool, { ...scene, weights }, 'vptq-v4-k16');
    expect(result.weights).toEqual(weights);
    expect(result.finding.values.passProxy).toBe(0);
  });

  it('moves weights of each input into a range where it is told to, constant ones exactly', async () => {
    const scene = layer(40, 12, 50);
    scene.weights.forEach((weight, at) => {
      scene.weights[at] = at % 12 === 3 ? 0.25 : weight + (at % 12);
    });
    const plain = await quantizeVectors(pool, scene, 'vptq-v4-k16');
    const moved = await quantizeVectors(pool, scene, 'vptq-v4-k16:norm');
    for (let row = 0; row < 40; row++) expect(moved.weights[row * 12 + 3]).toBe(0.25);
    expect(moved.finding.values.loss).toBeLessThan(Number(plain.finding.values.loss) / 10);
  });

  it('counts inputs that were always zero for nothing, and weights that are no numbers as 0', async () => {
    const scene = layer(16, 20, 60);
    for (let i = 0; i < 20; i++) scene.gram[5 * 20 + i] = scene.gram[i * 20 + 5] = 0;
    scene.weights[5] = 1e6;
    scene.weights[0] = NaN;
    for (const name of ['vptq-v4-k32', 'vptq-v4-k32-r4:perm']) {
      const { weights, finding } = await quantizeVectors(pool, scene, name);
      expect(weights.every(Number.isFinite)).toBe(true);
      expect(finding.values.passProxy).toBeLessThan(1);
      expect(finding.notes).toEqual(['1 input was zero in all rows; their weights do not count.']);
    }
  });

  it('gives the same bits with any number of threads, others with another seed', async () => {
    const scene = layer(150, 140, 300);
    const name = 'vptq-v4-k64-r16:outliers=4:outlier-v=6:groups=2:norm';
    const results = new Set<string>();
    for (const threads of [1, 2, 3]) {
      const each = await createPool({ threads });
      const { weights, finding } = await quantizeVectors(each, scene, name);
      results.add(JSON.stringify([finding, [...weights]]));
    }
    expect(results.size).toBe(1);
    const other = await quantizeVectors(pool, scene, `${name}:seed=9`);
    results.add(JSON.stringify([other.finding, [...other.weights]]));
    expect(results.size).toBe(2);
  });

  it('refuses more groups than inputs', async () => {
    await expect(quantizeVectors(pool, layer(8, 6, 20), 'vptq-v4-k4:groups=7')).rejects.toThrow(
      '6 inputs are too few for 7 groups',
    );
  });
});

describe('first centroids', () => {
  it('are different places, the same for the same seed', () => {
    const places = drawPlaces(200, 250, 3);
    expect(new Set(places).size).toBe(200);
    expect(Math.max(...places)).toBeLessThan(250);
    expect(drawPlaces(200, 250, 3)).toEqual(places);
    expect(drawPlaces(200, 250, 4)).not.toEqual(places);
    expect(drawPlaces(9, 4, 3).slice().sort()).toEqual(Int32Array.of(0, 1, 2, 3));
  });
});

describe('groups of columns', () => {
  const groupsOf = (name: string, inputs: number) =>
    columnGroups(readSettings(vptqOptions(name)), inputs).map(({ first, end, length }) => [
      first,
      end,
      length,
    ]);

  it('begin with outliers, and with what groups do not divide', () => {
    expect(groupsOf('vptq-v8-k16', 48)).toEqual([[0, 48, 8]]);
    expect(groupsOf('vptq-v8-k16:groups=3:outliers=10:outlier-v=2', 48)).toEqual([
      [0, 6, 2],
      [6, 20, 8],
      [20, 34, 8],
      [34, 48, 8],
    ]);
  });
});

describe('the name of VPTQ', () => {
  it.each([
    ['vptq-v4-k256', 'vptq-v4-k256', 'VPTQ v4 k256'],
    ['VPTQ', 'vptq-v4-k256', 'VPTQ v4 k256'],
    ['f16+vptq:k=16:r=8', 'vptq-v4-k16-r8', 'VPTQ v4 k16 r8'],
    ['vptq-k256-v6-r0', 'vptq-v6-k256', 'VPTQ v6 k256'],
    ['vptq-v8-k4096:norm:perm', 'vptq-v8-k4096:perm:norm', 'VPTQ v8 k4096 (perm, norm)'],
    ['vptq-v4-k256:v=8/int8-token', 'vptq-v8-k256/int8-token', 'VPTQ v8 k256 · A8'],
  ])('%s is %s', (text, id, label) => {
    const scheme = parseScheme(text);
    expect(scheme.id).toBe(id);
    expect(parseScheme(scheme.id)).toEqual(scheme);
    expect(schemeLabel(scheme)).toBe(label);
  });

  it.each([
    ['vptq-v4-q256', '"-q256" is not one of -vN, -kN, -rN'],
    ['vptq-v17', '"v" takes a whole number from 1 to 16'],
    ['vptq-v2.5', '"v" takes a whole number'],
    ['vptq-k1', '"k" takes a whole number from 2 to 65536'],
    ['vptq-v', '"v" takes a whole number'],
    ['vptq:outliers=101', '"outliers" takes a number from 0 to 100'],
    ['int4:g128+vptq', 'no codes of int4-asym:g128: write vptq-v4-k256'],
    ['vptq-v4-k256+awq', 'vptq cannot be combined with other methods'],
    ['vptq-v4-k256+mse', 'has no range to search for'],
  ])('%s is refused', (text, message) => {
    expect(() => parseScheme(text)).toThrow(message);
  });
});

describe('bits of VPTQ', () => {
  const bits = (name: string, shape: readonly number[]) =>
    countSchemeBits(parseScheme(name), shape, 'f16');

  it('are those of the paper', () => {
    // Compression 15.97 with 8 components and 256 centroids.
    expect(16 / (bits('vptq-v8-k256', [4096, 4096]) / 4096 ** 2)).toBeCloseTo(15.97, 2);
    const codebooks = 8 * (65536 + 256) * 16;
    expect(bits('vptq-v8-k65536-r256', [4096, 4096])).toBe(3 * 4096 ** 2 + codebooks);
  });

  it('count everything that is stored', () => {
    const codes = Math.ceil(50 / 4) * 100 * 8;
    const book = 256 * 4 * 16;
    expect(bits('vptq-v4-k256', [50, 100])).toBe(codes + book);
    expect(bits('vptq-v4-k256:perm:norm', [50, 100])).toBe(codes + book + 3 * 16 * 100);
    expect(bits('vptq-v4-k256', [3, 50, 100])).toBe(3 * (codes + book));
    // Nine bits are needed for 300 places.
    expect(bits('vptq-v4-k300', [40, 100])).toBe(10 * 100 * 9 + 300 * 4 * 16);
    const outliers = 25 * 4 * 3 + 8 * 2 * 16;
    const others = 2 * (13 * 48 * 4 + 16 * 4 * 16);
    expect(bits('vptq-v4-k16:outliers=4:outlier-v=2:outlier-k=8:groups=2', [50, 100])).toBe(
      outliers + others + 16 * 100,
    );
  });

  it('of other schemes are those of their format, and what a method adds', () => {
    expect(bits('int4:g64', [64, 64])).toBe(64 * 64 * 4 + 64 * (16 + 4));
    const hqq = findMethod('hqq')!;
    expect(bits('int4:g64+hqq', [64, 64])).toBe(64 * 64 * 4 + 64 * 32);
    expect(hqq.storedBits).toBeUndefined();
  });
});
