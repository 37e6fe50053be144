// Eight formats in one comparison on a device against each of them alone: weights go up and are decoded once.
import { join } from 'node:path';
import { chunksOnThreads } from '../../src/compute/webgpu/chunksOnThreads.js';
import { GpuMachine } from '../../src/compute/webgpu/gpuMachine.js';
import { WorkerPool } from '../../src/compute/workerPool.js';
import { parseFormat } from '../../src/formats/index.js';
import { makeNodeHost } from '../../src/host/node/nodeHost.js';
import { quantizeTensors } from '../../src/jobs/comparison/quantizeTensors.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import { whyNoGpu } from '../support/gpu.js';
import { serveGpu } from '../support/gpuMachine.js';

const FORMATS = [
  'int4-asym:g32',
  'int4-sym:g32',
  'int3-asym:g64',
  'int8-asym:g128',
  'fp4-e2m1:g32',
  'afp4-e2m1:g32',
  'nf4:g64',
  'mxfp4',
];
const TENSOR = 'model.layers.0.mlp.down_proj.weight';
const ROUNDS = 3;

export interface GpuTogetherRow {
  readonly adapter: string;
  /** Seconds of a comparison in all eight formats. */
  readonly together: number;
  /** Mean seconds of one in a single format. */
  readonly alone: number;
}

/**
 * @param root of the project
 * @returns undefined where there is no device
 */
export async function gpuTogetherRow(root: string): Promise<GpuTogetherRow | undefined> {
  if (await whyNoGpu()) return undefined;
  const served = await serveGpu();
  const pool = await WorkerPool.create(makeNodeHost(join(root, 'dist')), { threads: 1 });
  const { tensors } = await openLocalModel(join(root, 'media/sample'));
  const tensor = tensors.find(({ name }) => name === TENSOR)!;
  /** The shortest of some comparisons, of which the first compiles. */
  const secondsOf = async (names: readonly string[]): Promise<number> => {
    let best = Infinity;
    for (let round = 0; round <= ROUNDS; round++) {
      const runners = new GpuMachine(served.connection, pool, [chunksOnThreads]);
      const begin = performance.now();
      const formats = names.map(parseFormat);
      await quantizeTensors(pool, { tensors: [tensor], formats, scaleDtype: 'f16', runners });
      if (round > 0) best = Math.min(best, (performance.now() - begin) / 1000);
      await runners.end();
    }
    return best;
  };
  const together = await secondsOf(FORMATS);
  let sum = 0;
  for (const name of FORMATS) sum += await secondsOf([name]);
  await pool.dispose();
  served.close();
  return { adapter: served.gpu.adapter.description, together, alone: sum / FORMATS.length };
}

/** Prints the row. */
export function printGpuTogether(row: GpuTogetherRow | undefined): void {
  if (!row) return;
  const { adapter, together, alone } = row;
  console.log(
    `${FORMATS.length} formats in one comparison, by one alone (${adapter})`.padEnd(60) +
      `${together.toFixed(2)} s`.padStart(10) +
      `${alone.toFixed(2)} s`.padStart(12) +
      (together / alone).toFixed(2).padStart(7),
  );
}
