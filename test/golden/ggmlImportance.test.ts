// GGUF's block formats with an importance matrix against blocks that libggml itself produced, to the bit; other
// formats against a search over all their scales that is written anew here.
import { describe, expect, it } from 'vitest';
import { parseFormat } from '../../src/formats/index.js';
import type { GgmlTypeName } from '../../src/formats/types.js';
import {
  dequantizeGgmlBlock,
  GGML_TYPES,
  quantizeGgmlBlock,
} from '../../src/kernels/reference/ggml/index.js';
import { quantizeChunk } from '../../src/kernels/reference/quantizeChunk.js';
import { quantizeWeighted } from '../../src/kernels/reference/weightedChunk.js';
import { floatsOf, readRawSafetensors } from '../support/rawSafetensors.js';

const golden = readRawSafetensors(
  new URL('../fixtures/golden/ggml_imatrix.safetensors', import.meta.url),
);
const weights = floatsOf(golden.get('weights')!);
const [rows, columns] = golden.get('weights')!.shape;
const IMPORTANCES = ['spread', 'outliers', 'equal'];
const TYPES = [...golden.keys()]
  .filter((name) => name.startsWith('equal.'))
  .map((name) => name.slice('equal.'.length) as GgmlTypeName);

const importanceOf = (name: string) => floatsOf(golden.get(`importance.${name}`)!);

it('has vectors of every type that an importance matrix changes', () => {
  expect(TYPES).toHaveLength(11);
});

describe.each(TYPES)('%s', (name) => {
  const type = GGML_TYPES[name];
  const format = parseFormat(name);

  it.each(IMPORTANCES)('is what libggml gives, importance "%s"', (kind) => {
    const importance = importanceOf(kind);
    const { bytes } = golden.get(`${kind}.${name}`)!;
    const { blockSize, blockBytes } = type;
    const expected = new Float32Array(weights.length);
    const different: number[] = [];
    for (let block = 0; block * blockSize < weights.length; block++) {
      const at = block * blockSize;
      const row = weights.subarray(at - (at % columns), at - (at % columns) + columns);
      let sum = 0;
      for (const x of row) sum = Math.fround(sum + Math.fround(x * x));
      const own = bytes.subarray(block * blockBytes, (block + 1) * blockBytes);
      const packed = new Uint8Array(blockBytes);
      quantizeGgmlBlock(type, weights.subarray(at, at + blockSize), packed, {
        inputs: importance.subarray(at % columns, (at % columns) + blockSize),
        rowMeanSquare: Math.fround(sum / columns),
      });
      if (Buffer.compare(packed, own) !== 0) different.push(block);
      dequantizeGgmlBlock(type, own, expected.subarray(at, at + blockSize));
    }
    expect(different).toEqual([]);
    const output = new Float32Array(weights.length);
    const shape = { rows, columns };
    quantizeWeighted({ format, scaleDtype: 'f16', shape, weights, importance, output });
    expect(output).toEqual(expected);
  });

  it('is finite, and that without an importance, where no input was ever other than 0', () => {
    const shape = { rows, columns };
    const plain = new Float32Array(weights.length);
    quantizeChunk({ format, scaleDtype: 'f16', shape, weights, output: plain });
    const output = new Float32Array(weights.length);
    const importance = new Float32Array(columns);
    quantizeWeighted({ format, scaleDtype: 'f16', shape, weights, importance, output });
    expect(output).toEqual(plain);
    // Some sub-blocks of a block only.
    importance.fill(1).fill(0, 16, 64);
    quantizeWeighted({ format, scaleDtype: 'f16', shape, weights, importance, output });
    expect(output.every(Number.isFinite)).toBe(true);
  });
});

/** Σ importance·(ŵ − w)² of each group. */
function groupErrors(output: Float32Array, importance: Float32Array, size: number): number[] {
  return Array.from({ length: weights.length / size }, (_, group) => {
    let sum = 0;
    for (let i = group * size; i < (group + 1) * size; i++) {
      sum += importance[i % columns] * (output[i] - weights[i]) ** 2;
    }
    return sum;
  });
}

const f16 = (value: number) => {
  // Nearest value of 11 significant bits: enough for scales that are no subnormals.
  const unit = 2 ** (Math.floor(Math.log2(value)) - 10);
  const scaled = value / unit;
  const below = Math.floor(scaled);
  const up = scaled - below > 0.5 || (scaled - below === 0.5 && below % 2 === 1);
  return (below + (up ? 1 : 0)) * unit;
};

const roundEven = (x: number) => {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
};

describe('other formats', () => {
  const importance = importanceOf('spread');
  const shape = { rows, columns };
  const output = new Float32Array(weights.length);

  it('take the scale with the least weighted squared error of 80 (int4-sym:g64)', () => {
    const format = parseFormat('int4-sym:g64');
    quantizeWeighted({ format, scaleDtype: 'f16', shape, weights, importance, output });
    const found = groupErrors(output, importance, 64);
    const best = found.map((_, group) => {
      const own = weights.subarray(group * 64, (group + 1) * 64);
      const largest = own.reduce((most, w) => Math.max(most, Math.abs(w)), 0);
      const errors = Array.from({ length: 80 }, (_, i) => {
        const end = Math.fround(Math.fround(1 - i / 100) * largest);
        const scale = f16(Math.fround((2 * end) / 15));
        return own.reduce((sum, w, k) => {
          const code = Math.min(7, Math.max(-8, roundEven(Math.fround(w / scale))));
          return sum + importance[(group * 64 + k) % columns] * (code * scale - w) ** 2;
        }, 0);
      });
      return Math.min(...errors);
    });
    found.forEach((error, group) => expect(error / best[group]).toBeCloseTo(1, 5));
  });

  it('take a scale of E4M3 near the usual one that serves best (nvfp4)', () => {
    const format = parseFormat('nvfp4');
    const largest = weights.reduce((most, w) => Math.max(most, Math.abs(w)), 0);
    const tensorRange = { lo: -largest, hi: largest };
    const setup = { format, scaleDtype: 'f16', shape, weights, tensorRange } as const;
    quantizeWeighted({ ...setup, importance, output });
    const found = groupErrors(output, importance, 16);
    const e4m3 = Array.from({ length: 16 * 8 }, (_, code) =>
      code < 8 ? code * 2 ** -9 : (1 + (code & 7) / 8) * 2 ** ((code >> 3) - 7),
    ).filter((scale) => scale >= 2 ** -6 && scale <= 448);
    const levels = [0, 0.5, 1, 1.5, 2, 3, 4, 6];
    const best = found.map((_, group) => {
      const own = weights.subarray(group * 16, (group + 1) * 16);
      const most = own.reduce((high, w) => Math.max(high, Math.abs(w)), 0);
      const tensorScale = Math.fround(largest / (448 * 6));
      const wanted = most / 6 / tensorScale;
      const usual = e4m3.reduce(
        (near, scale, i) => (Math.abs(scale - wanted) < Math.abs(e4m3[near] - wanted) ? i : near),
        0,
      );
      const errors = e4m3.slice(Math.max(0, usual - 8), usual + 5).map((stored) => {
        const scale = Math.fround(stored * tensorScale);
        return own.reduce((sum, w, k) => {
          const distance = Math.min(...levels.map((l) => Math.abs(l * scale - Math.abs(w))));
          return sum + importance[(group * 16 + k) % columns] * distance ** 2;
        }, 0);
      });
      return Math.min(...errors);
    });
    found.forEach((error, group) => expect(error / best[group]).toBeCloseTo(1, 4));
  });

  it.each([
    'int3:g128',
    'int4-awq:g64',
    'afp4:g32',
    'nf4:g64',
    'dint4:g64',
    'if4',
    'bnb-nf4',
    'mxfp4',
  ])('never err more by importance than without it (%s)', (name) => {
    const format = parseFormat(name);
    const largest = weights.reduce((most, w) => Math.max(most, Math.abs(w)), 0);
    const tensorRange = { lo: -largest, hi: largest };
    const setup = { format, scaleDtype: 'f16', shape, weights, tensorRange } as const;
    const plain = new Float32Array(weights.length);
    quantizeChunk({ ...setup, output: plain });
    quantizeWeighted({ ...setup, importance, output });
    const size = format.group.kind === 'columns' ? format.group.size : 64;
    const [before, after] = [plain, output].map((o) => groupErrors(o, importance, size));
    after.forEach((error, group) => expect(error).toBeLessThanOrEqual(before[group] * 1.000001));
    expect(after.reduce((a, b) => a + b)).toBeLessThan(before.reduce((a, b) => a + b));
  });
});
