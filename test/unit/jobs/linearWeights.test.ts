import { describe, expect, it } from 'vitest';
import { planChunks } from '../../../src/compute/chunks.js';
import { countStoredBits, parseFormat } from '../../../src/formats/index.js';
import { computeTensorStatistics } from '../../../src/jobs/inspection/tensorStatistics.js';
import { quantizeTensors } from '../../../src/jobs/comparison/quantizeTensors.js';
import { quantizeChunk } from '../../../src/kernels/reference/quantizeChunk.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { f32Tensor, syntheticWeights, writeCheckpoint } from '../../support/checkpoints.js';
import { sharedPool } from '../../support/sharedPool.js';
import { compareOn } from '../../support/jobs.js';

const UP = 'model.layers.0.mlp.experts.gate_up_proj';
const DOWN = 'model.layers.0.mlp.experts.down_proj';

/** Dequantized weights of a matrix of [outputs × inputs] by plain arithmetic. */
function quantized(weights: Float32Array, rows: number, columns: number, name: string) {
  const output = new Float32Array(weights.length);
  const shape = { rows, columns };
  quantizeChunk({ format: parseFormat(name), scaleDtype: 'f16', shape, weights, output });
  return output;
}

function turned(weights: Float32Array, rows: number, columns: number): Float32Array {
  return weights.map((_, index) => weights[(index % rows) * columns + Math.floor(index / rows)]);
}

/** The same experts as [inputs × outputs] and as [outputs × inputs], with partners that tell. */
async function bothWays(experts: number, inner: number, width: number) {
  const weights = syntheticWeights(experts * 2 * inner * width, 3);
  const size = 2 * inner * width;
  const other = new Float32Array(weights.length);
  for (let at = 0; at < weights.length; at += size) {
    other.set(turned(weights.subarray(at, at + size), 2 * inner, width), at);
  }
  const down = new Float32Array(experts * inner * width);
  const open = async (up: readonly number[], values: Float32Array, shape: readonly number[]) => {
    const tensors = { [UP]: f32Tensor(up, values), [DOWN]: f32Tensor(shape, down) };
    return openLocalModel(await writeCheckpoint(tensors));
  };
  return {
    weights,
    last: await open([experts, 2 * inner, width], weights, [experts, width, inner]),
    first: await open([experts, width, 2 * inner], other, [experts, inner, width]),
  };
}

describe('experts in one tensor', () => {
  const formats = ['int4:g32', 'int4:row', 'nvfp4', 'bnb-nf4:g80', 'q4_0', 'q4_k'];

  it('come to the same errors whichever way round they are stored', async () => {
    const pool = await sharedPool();
    const { first, last } = await bothWays(3, 24, 64);
    const request = { formats, tensors: [UP] };
    const [one, other] = [
      await compareOn(pool, first, request),
      await compareOn(pool, last, request),
    ];
    expect(one.formats[0].tensors[0].transposed).toBe(true);
    one.formats.forEach((format, index) => {
      const { bitsPerWeight, summary } = other.formats[index];
      expect(format.bitsPerWeight).toBe(bitsPerWeight);
      expect(format.summary.mse / summary.mse).toBeCloseTo(1, 12);
      expect(format.summary.maxAbsError).toBe(summary.maxAbsError);
    });
  });

  it.each(['int4:g32', 'int4:row'])(
    'are written in the stored order, groups along inputs: %s',
    async (name) => {
      const pool = await sharedPool();
      const { weights, first } = await bothWays(3, 512, 640);
      const tensor = first.tensors.find((each) => each.name === UP)!;
      const output = new Float32Array(tensor.elements);
      let at = 0;
      const onOutput = (_: unknown, piece: Float32Array) => {
        output.set(piece, at);
        at += piece.length;
      };
      const request = { tensors: [tensor], formats: [parseFormat(name)], onOutput };
      await quantizeTensors(pool, { ...request, scaleDtype: 'f16' });
      const size = 1024 * 640;
      for (let from = 0; from < weights.length; from += size) {
        const expert = quantized(weights.subarray(from, from + size), 1024, 640, name);
        const expected = turned(expert, 1024, 640);
        const same = Buffer.from(output.slice(from, from + size).buffer).equals(
          Buffer.from(expected.buffer),
        );
        expect(same).toBe(true);
      }
    },
  );

  it('have statistics and groups of their own', async () => {
    const pool = await sharedPool();
    const { first, last } = await bothWays(3, 24, 64);
    const of = async ({ tensors }: typeof first) => {
      const tensor = tensors.find(({ name }) => name === UP)!;
      return computeTensorStatistics(pool, tensor, 32);
    };
    const [one, other] = [await of(first), await of(last)];
    expect(one.groups.count).toBe(3 * 48 * 2);
    expect(one.groups.asymmetry.p50).toBeCloseTo(other.groups.asymmetry.p50, 6);
    expect(one.absMax).toBe(other.absMax);
  });
});

describe('convolutions', () => {
  it('have groups along all that an output sums over', async () => {
    const pool = await sharedPool();
    const weights = syntheticWeights(8 * 3 * 4 * 4, 4);
    const path = await writeCheckpoint({ 'patch.weight': f32Tensor([8, 3, 4, 4], weights) });
    const model = await openLocalModel(path);
    expect([...planChunks(model.tensors[0])]).toMatchObject([{ rows: 8, columns: 48 }]);
    const request = { formats: ['int4:g16'], tensors: ['patch.weight'] };
    const [{ bitsPerWeight, summary }] = (await compareOn(pool, model, request)).formats;
    expect(bitsPerWeight).toBe(4 + (16 + 4) / 16);
    const output = quantized(weights, 8, 48, 'int4:g16');
    const squares = weights.reduce((sum, weight, i) => sum + (weight - output[i]) ** 2, 0);
    expect(summary.mse / (squares / weights.length)).toBeCloseTo(1, 10);
  });
});

describe('rows that are no whole blocks', () => {
  it.each([
    ['q4_k', 96, 'q5_0'],
    ['q5_k', 96, 'q5_1'],
    ['q6_k', 96, 'q8_0'],
    ['q2_k', 96, 'q4_0'],
    ['q3_k', 96, 'q4_0'],
    ['iq4_xs', 96, 'iq4_nl'],
    ['q6_k', 40, 'f16'],
    ['q8_0', 40, 'f16'],
  ])('of %s with %i columns are what llama.cpp stores: %s', async (name, columns, stored) => {
    const pool = await sharedPool();
    const weights = syntheticWeights(8 * columns, 5);
    const path = await writeCheckpoint({
      'a.weight': f32Tensor([8, columns], weights),
      'b.weight': f32Tensor([8, 256], syntheticWeights(8 * 256, 6)),
    });
    const request = { formats: [name, stored] };
    const { formats } = await compareOn(pool, await openLocalModel(path), request);
    const [asked, instead] = formats.map(({ tensors }) => tensors[0]);
    expect(asked).toMatchObject({ storedAs: stored, mse: instead.mse });
    expect(formats[0].tensors[1]).not.toHaveProperty('storedAs');
    const bits =
      countStoredBits(parseFormat(stored), [8, columns]) +
      countStoredBits(parseFormat(name), [8, 256]);
    expect(formats[0].bitsPerWeight).toBe(bits / (8 * columns + 8 * 256));
    expect(formats[0].notes.join()).toContain(`"a.weight" (${columns} columns) as ${stored}`);
  });

  it('are filled up and counted whole in microscaling formats, shorter in others, and said', async () => {
    const pool = await sharedPool();
    const path = await writeCheckpoint({ 'a.weight': f32Tensor([4, 40], syntheticWeights(160)) });
    const request = { formats: ['mxfp4', 'int4:g32', 'int4:g128'] };
    const { formats } = await compareOn(pool, await openLocalModel(path), request);
    expect(formats[0].bitsPerWeight).toBe((2 * (32 * 4 + 8)) / 40);
    expect(formats[0].notes.join()).toContain(
      '"a.weight" (40 columns). Their last block is filled',
    );
    expect(formats[1].notes.join()).toContain(
      '"a.weight" (40 columns). Their last group is shorter',
    );
    expect(formats[2].notes.join()).not.toContain('runtimes');
  });
});

it('a report says what is left out, and not where tensors were chosen by name', async () => {
  const pool = await sharedPool();
  const values = (rows: number) => f32Tensor([rows, 32], syntheticWeights(rows * 32));
  const path = await writeCheckpoint({
    'model.embed_tokens.weight': values(8),
    'model.layers.0.mlp.gate.weight': values(4),
    'model.layers.1.mlp.gate.weight': values(4),
    'model.layers.0.mlp.experts.0.up_proj.weight': values(16),
    'model.norm.weight': f32Tensor([32], syntheticWeights(32)),
  });
  const model = await openLocalModel(path);
  const { model: summary } = await compareOn(pool, model, { formats: ['int4:g32'] });
  expect(summary.notes[0]).toBe(
    'Left out of 1,056 weights, since they are not linear: 1 embedding (256), 2 routers (256), 1 one-dimensional (32).',
  );
  const request = { formats: ['int4:g32'], tensors: ['model.embed_tokens.weight'] };
  expect((await compareOn(pool, model, request)).model.notes).toEqual([]);
});
