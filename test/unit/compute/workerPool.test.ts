import { truncate } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { WorkerPool } from '../../../src/compute/workerPool.js';
import { makeNodeHost } from '../../../src/host/node/nodeHost.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { isCancelled } from '../../../src/rpc/rpc.js';
import {
  createPool,
  f32Tensor,
  HOST,
  SAMPLE,
  syntheticWeights,
  temporaryFolder,
  writeCheckpoint,
} from '../../support/checkpoints.js';
import { compareOn } from '../../support/jobs.js';

const FORMATS = ['int4', 'fp4', 'afp4:g64', 'nf4:row', 'dint4:tensor', 'int3-sym:g100'];

/** A report without what is allowed to differ between runs. */
function comparable(report: object): string {
  return JSON.stringify({ ...report, timings: undefined });
}

/** 20 tensors of a million weights: long enough to be interrupted. */
async function largeCheckpoint(): Promise<string> {
  const weights = syntheticWeights(1 << 20);
  return writeCheckpoint(
    Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [
        `layers.${i}.w.weight`,
        f32Tensor([1024, 1024], weights),
      ]),
    ),
  );
}

describe('worker pool', () => {
  it('gives identical reports with 1, 2 and 3 threads and with the reference kernels', async () => {
    const checkpoint = await openLocalModel(SAMPLE);
    const reports: string[] = [];
    for (const threads of [1, 2, 3]) {
      const pool = await createPool({ threads });
      reports.push(comparable(await compareOn(pool, checkpoint, { formats: FORMATS })));
    }
    expect(new Set(reports).size).toBe(1);

    const request = { formats: FORMATS, tensors: ['model.layers.0.self_attn.k_proj.weight'] };
    const reference = await createPool({ backend: 'reference' });
    const wasm = await createPool();
    expect(comparable(await compareOn(reference, checkpoint, request))).toBe(
      comparable(await compareOn(wasm, checkpoint, request)),
    );
  });

  it('has as many threads as are wanted, but no more than the machine runs at once', async () => {
    const host = { ...HOST, parallelism: 3 };
    for (const [threads, used] of [
      [undefined, 3],
      [0, 3],
      [2, 2],
      [3, 3],
      [100_000, 3],
    ] as const) {
      const pool = await WorkerPool.create(host, { threads });
      expect(pool.threads).toBe(used);
      await pool.dispose();
    }
  });

  it('stops a running job within 200 ms of its cancellation and runs the next one', async () => {
    const pool = await createPool();
    const checkpoint = await openLocalModel(await largeCheckpoint());
    const controller = new AbortController();
    let abortedAt = 0;
    const job = compareOn(
      pool,
      checkpoint,
      { formats: FORMATS },
      {
        signal: controller.signal,
        onProgress: ({ done }) => {
          if (done === 0 || abortedAt > 0) return;
          abortedAt = performance.now();
          controller.abort();
        },
      },
    );
    const error = await job.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(isCancelled(error)).toBe(true);
    // The next job answering is what shows that the workers are free, too.
    const next = await compareOn(pool, checkpoint, {
      formats: ['int4'],
      tensors: ['layers.0.w.weight'],
    });
    expect(performance.now() - abortedAt).toBeLessThan(200);
    expect(next.formats[0].tensors).toHaveLength(1);
  });

  it('fails the job of a killed worker clearly and runs the next one', async () => {
    const pool = await createPool();
    const checkpoint = await openLocalModel(await largeCheckpoint());
    let killed = false;
    const job = compareOn(
      pool,
      checkpoint,
      { formats: FORMATS },
      {
        onProgress: () => {
          if (killed) return;
          killed = true;
          void pool.runningWorkers[0].terminate();
        },
      },
    );
    await expect(job).rejects.toThrow(/A compute worker stopped unexpectedly .*Run the job again/);
    const next = await compareOn(pool, checkpoint, { formats: ['int4'] });
    expect(next.formats[0].tensors).toHaveLength(20);
  });

  it('names the file and the place when a file shrank after it was opened', async () => {
    const pool = await createPool();
    const path = await writeCheckpoint(
      { 'layers.0.w.weight': f32Tensor([64, 128], syntheticWeights(64 * 128)) },
      await temporaryFolder(),
    );
    const checkpoint = await openLocalModel(path);
    await truncate(path, 1000);
    await expect(compareOn(pool, checkpoint, { formats: ['int4'] })).rejects.toThrow(
      /model\.safetensors: the file was cut off since its header was read: .* 1000 now/,
    );
  });

  it('reports a missing worker file instead of hanging', async () => {
    const folder = await temporaryFolder();
    const pool = await createPool({ backend: 'reference' }, makeNodeHost(folder));
    const checkpoint = await openLocalModel(SAMPLE);
    await expect(compareOn(pool, checkpoint, { formats: ['int4'] })).rejects.toThrow(
      /A compute worker stopped unexpectedly/,
    );
  });

  it('rejects jobs under way when it is closed', async () => {
    const pool = await createPool();
    const checkpoint = await openLocalModel(await largeCheckpoint());
    const job = compareOn(pool, checkpoint, { formats: FORMATS });
    const outcome = expect(job).rejects.toThrow(/The worker pool was closed/);
    await pool.dispose();
    await outcome;
  });
});
