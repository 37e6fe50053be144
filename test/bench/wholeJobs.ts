import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { WorkerPool } from '../../src/compute/workerPool.js';
import { makeNodeHost } from '../../src/host/node/nodeHost.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import { compareOn } from '../support/jobs.js';

export interface JobResult {
  readonly formats: readonly string[];
  readonly threads: number;
  readonly seconds: number;
  readonly millionWeightsPerSecond: number;
  /** Wall time over the kernels' own time (threads' share of it). */
  readonly timesKernels: number;
  readonly peakRssMB: number;
}

const EIGHT = ['int4', 'int4-sym', 'fp4', 'afp4', 'nf4', 'anf4', 'dint4', 'mxfp4'];

/** Whole comparisons: reading, quantizing and error sums, over a checkpoint in the page cache. */
export async function wholeJobs(root: string, path?: string): Promise<JobResult[]> {
  const model = path ?? join(root, 'media/sample');
  if (!existsSync(model)) throw new Error(`${model}: there is no such model`);
  const checkpoint = await openLocalModel(model);
  const results: JobResult[] = [];
  console.log(`\nwhole job on ${model}`);
  for (const formats of [['int4'], ['afp4'], EIGHT]) {
    for (const threads of [1, 2]) {
      const pool = await WorkerPool.create(makeNodeHost(join(root, 'dist')), { threads });
      await compareOn(pool, checkpoint, { formats });
      const { timings, formats: reports } = await compareOn(pool, checkpoint, { formats });
      const weights = reports[0].tensors.reduce((sum, { parameters }) => sum + parameters, 0);
      const result = {
        formats,
        threads,
        seconds: timings.totalSeconds,
        millionWeightsPerSecond: (weights * formats.length) / timings.totalSeconds / 1e6,
        timesKernels: timings.totalSeconds / timings.quantizeSeconds,
        peakRssMB: timings.peakRssBytes / 2 ** 20,
      };
      results.push(result);
      await pool.dispose();
      console.log(
        `${formats.length === 1 ? formats[0] : `${formats.length} formats`} on ${threads} thread(s): ` +
          `${result.seconds.toFixed(2)} s, ${result.millionWeightsPerSecond.toFixed(0)} M weights/s, ` +
          `${result.timesKernels.toFixed(2)} × the kernels' own time, ${result.peakRssMB.toFixed(0)} MB`,
      );
    }
  }
  return results;
}
