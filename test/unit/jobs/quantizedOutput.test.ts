import { describe, expect, it, vi } from 'vitest';
import type { ModelTensor } from '../../../src/checkpoint/types.js';
import { planChunks } from '../../../src/compute/chunks.js';
import type { ChunkApi } from '../../../src/compute/tasks.js';
import type { WorkerPool } from '../../../src/compute/workerPool.js';
import { parseFormat } from '../../../src/formats/index.js';
import { quantizeTensors } from '../../../src/jobs/comparison/quantizeTensors.js';
import { quantizeChunk } from '../../../src/kernels/reference/quantizeChunk.js';
import { outputBytesFor } from '../../../src/kernels/workspace.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { isCancelled } from '../../../src/rpc/rpc.js';
import {
  createPool,
  f32Tensor,
  syntheticWeights,
  writeCheckpoint,
} from '../../support/checkpoints.js';

/** A tensor of its own checkpoint. */
async function tensorOf(shape: readonly number[], weights: Float32Array): Promise<ModelTensor> {
  const path = await writeCheckpoint({ 'a.weight': f32Tensor(shape, weights) });
  return (await openLocalModel(path)).tensors[0];
}

/** What a sink that takes its time was given: all weights in order, and the sizes of the pieces. */
async function outputOf(pool: WorkerPool, tensor: ModelTensor, name: string, signal?: AbortSignal) {
  const values = new Float32Array(tensor.elements);
  const pieces: number[] = [];
  let at = 0;
  const onOutput = async (_: unknown, weights: Float32Array) => {
    await new Promise((resolve) => setImmediate(resolve));
    values.set(weights, at);
    at += weights.length;
    pieces.push(weights.length);
  };
  const formats = [parseFormat(name)];
  const request = { tensors: [tensor], formats, scaleDtype: 'f16', onOutput } as const;
  await quantizeTensors(pool, request, { signal });
  return { values, pieces };
}

function expectedOutput(weights: Float32Array, rows: number, columns: number, name: string) {
  const output = new Float32Array(weights.length);
  const shape = { rows, columns };
  quantizeChunk({ format: parseFormat(name), scaleDtype: 'f16', shape, weights, output });
  return output;
}

/** [rows × columns] as [columns × rows]. */
function transposed(weights: Float32Array, rows: number, columns: number): Float32Array {
  return weights.map((_, index) => weights[(index % rows) * columns + Math.floor(index / rows)]);
}

describe('dequantized weights in the shared memory', () => {
  it('are those of plain arithmetic, for two jobs of one pool at once', async () => {
    const pool = await createPool();
    const weights = [5, 6].map((seed) => syntheticWeights(1024 * 2048, seed));
    const jobs = await Promise.all(
      weights.map(async (each, job) =>
        outputOf(pool, await tensorOf([1024, 2048], each), ['int4', 'q4_0'][job]),
      ),
    );
    jobs.forEach(({ values, pieces }, job) => {
      expect(pieces).toHaveLength(4);
      const expected = expectedOutput(weights[job], 1024, 2048, ['int4', 'q4_0'][job]);
      expect(Buffer.from(values.buffer).equals(Buffer.from(expected.buffer))).toBe(true);
    });
  });

  it.each([
    ['bands, which lie in the file in order', 'int4:g64', 4],
    ['strips, which are gathered', 'int4:row', 1],
  ])('of transposed weights come in the stored order: %s', async (_, name, pieces) => {
    const pool = await createPool();
    const [rows, columns] = [1024, 2048];
    const weights = syntheticWeights(rows * columns, 7);
    const stored = transposed(weights, rows, columns);
    const tensor = { ...(await tensorOf([columns, rows], stored)), transposed: true };
    const output = await outputOf(pool, tensor, name);
    const expected = transposed(expectedOutput(weights, rows, columns, name), rows, columns);
    expect(Buffer.from(output.values.buffer).equals(Buffer.from(expected.buffer))).toBe(true);
    expect(output.pieces).toHaveLength(pieces);
  });

  it('take no more memory in later jobs, cancelled ones among them', async () => {
    const pool = await createPool();
    const weights = syntheticWeights(2048 * 2048);
    const tensor = await tensorOf([2048, 2048], weights);
    const expected = expectedOutput(weights, 2048, 2048, 'int4');
    await outputOf(pool, tensor, 'int4');
    const size = pool.memory.buffer.byteLength;
    for (let round = 0; round < 3; round++) {
      const controller = new AbortController();
      const formats = [parseFormat('afp4')];
      const onOutput = () => controller.abort();
      const request = { tensors: [tensor], formats, scaleDtype: 'f16', onOutput } as const;
      const error: unknown = await quantizeTensors(pool, request, {
        signal: controller.signal,
      }).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(isCancelled(error)).toBe(true);
      // Begins while workers still write what nobody wants any more.
      const { values } = await outputOf(pool, tensor, 'int4');
      expect(Buffer.from(values.buffer).equals(Buffer.from(expected.buffer))).toBe(true);
    }
    await outputOf(pool, tensor, 'int4');
    // Slots that a cancelled task still writes to cannot serve the next job: as many again, and no more.
    expect(pool.memory.buffer.byteLength).toBeLessThanOrEqual(size + 8 * (3 << 20));
  });

  it('wait for a slow writer instead of piling up', async () => {
    const pool = await createPool({ threads: 2 });
    const tensor = await tensorOf([8192, 1024], syntheticWeights(8 << 20));
    const formats = [{ id: 'int4' }];
    let started = 0;
    function* tasks() {
      for (const chunk of planChunks(tensor, { chunkElements: 1 << 18 })) {
        started++;
        const outputBytes = outputBytesFor(chunk.rows * chunk.columns);
        yield { chunk, formats, scaleDtype: 'f16', outputBytes } as const;
      }
    }
    let write: () => void = () => undefined;
    const written = new Promise<void>((resolve) => (write = resolve));
    const job = pool.tasks<ChunkApi>().run('quantize', tasks(), () => written);
    // Workers start on a machine that may be busy with much else.
    await vi.waitFor(
      () => {
        expect(started).toBeGreaterThan(4);
        expect(pool.runningWorkers.map(({ load }) => load)).toEqual([0, 0]);
      },
      { timeout: 50_000 },
    );
    // Two at hand of each of two workers, as many again behind them, and the one that waits.
    expect(started).toBeLessThanOrEqual(9);
    write();
    await job;
    expect(started).toBe(32);
  });

  it('may be larger than all slots of an ordinary job together', async () => {
    const pool = await createPool();
    const columns = 14_000_000;
    const weights = syntheticWeights(columns, 9);
    const tensor = await tensorOf([1, columns], weights);
    const { values, pieces } = await outputOf(pool, tensor, 'int4:row');
    expect(pieces).toEqual([columns]);
    const expected = expectedOutput(weights, 1, columns, 'int4:row');
    expect(Buffer.from(values.buffer).equals(Buffer.from(expected.buffer))).toBe(true);
  });
});
