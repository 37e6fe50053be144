import { describe, expect, it } from 'vitest';
import { computeTensorStatistics } from '../../../src/jobs/inspection/tensorStatistics.js';
import {
  findNarrowerTypes,
  nameNarrowerType,
} from '../../../src/kernels/statistics/narrowerType.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { bf16FromBits, f16FromBits } from '../../../src/storage/elementValues.js';
import { f32Tensor, syntheticWeights, writeCheckpoint } from '../../support/checkpoints.js';
import { sharedPool } from '../../support/sharedPool.js';
import { compareOn } from '../../support/jobs.js';

/** Weights cut to BF16, or to F16's fraction, and widened again. */
function cut(weights: Float32Array, bits: number): Float32Array<ArrayBuffer> {
  const words = Uint32Array.from(
    new Uint32Array(weights.buffer),
    (word) => (word >>> bits) << bits,
  );
  return new Float32Array(words.buffer);
}

describe('values of a narrower type', () => {
  it('are all of that type and no others', () => {
    const bitsOf = (value: number) => new Uint32Array(Float32Array.of(value).buffer);
    const nameOf = (value: number) => nameNarrowerType(findNarrowerTypes(bitsOf(value)));
    for (let code = 0; code < 65536; code++) {
      const [f16, bf16] = [f16FromBits(code), bf16FromBits(code)];
      if (!Number.isNaN(f16)) expect(['BF16', 'F16']).toContain(nameOf(f16));
      if (!Number.isNaN(bf16)) expect(nameOf(bf16)).toBe('BF16');
    }
    const f16s = new Set(Array.from({ length: 65536 }, (_, code) => f16FromBits(code)));
    for (const weight of [
      ...syntheticWeights(2000),
      65504,
      65505,
      65520,
      1e5,
      2 ** -24,
      2 ** -25,
    ]) {
      for (const bits of [0, 12, 13, 14]) {
        const [value] = cut(Float32Array.of(weight), bits);
        const isBf16 = cut(Float32Array.of(value), 16)[0] === value;
        expect(nameOf(value)).toBe(isBf16 ? 'BF16' : f16s.has(value) ? 'F16' : undefined);
      }
    }
  });

  it.each(['wasm', 'reference'] as const)('in F32 tensors are said, by %s', async (backend) => {
    const last = cut(syntheticWeights(64 * 300), 16);
    last[last.length - 1] = 0.1;
    const scaled = (values: Float32Array) => values.map((value) => value * 2 ** 10);
    const path = await writeCheckpoint({
      'a.weight': f32Tensor([64, 300], cut(syntheticWeights(64 * 300), 16)),
      'b.weight': f32Tensor([64, 300], cut(scaled(syntheticWeights(64 * 300)), 14)),
      'c.weight': f32Tensor([64, 300], last),
      'd.weight': f32Tensor([4, 64], cut(syntheticWeights(256), 16)),
      'e.weight': f32Tensor([4, 64], syntheticWeights(256)),
      'f.weight': f32Tensor([64, 300], new Float32Array(64 * 300)),
    });
    const pool = await sharedPool({ backend });
    const model = await openLocalModel(path);
    const found: Record<string, string | undefined> = {};
    for (const tensor of model.tensors) {
      found[tensor.name[0]] = (await computeTensorStatistics(pool, tensor, 0)).holds;
    }
    expect(found).toEqual({
      a: 'BF16',
      b: 'F16',
      d: 'BF16',
      ...{ c: undefined, e: undefined, f: undefined },
    });
    const { model: summary } = await compareOn(pool, model, { formats: ['int4', 'bf16'] });
    expect(summary.notes).toEqual([
      '2 of 5 F32 tensors hold values of BF16 alone: stored as BF16 they are half as large and lose nothing.',
      '1 of 5 F32 tensors hold values of F16 alone: stored as F16 they are half as large and lose nothing.',
    ]);
  });
});

describe('the cast to F16', () => {
  it('counts the weights that it cannot hold', async () => {
    const weights = syntheticWeights(256);
    weights.set([1e5, -7e4, 65504, 65519], 100);
    const path = await writeCheckpoint({ 'a.weight': f32Tensor([4, 64], weights) });
    const pool = await sharedPool();
    const report = await compareOn(pool, await openLocalModel(path), { formats: ['f16', 'bf16'] });
    expect(report.formats[0].notes).toEqual([
      '2 weights lie beyond ±65,504 and are stored as ±65,504; other programs cast such weights to infinity.',
    ]);
    expect(report.formats[1].notes).toEqual([]);
  });
});
