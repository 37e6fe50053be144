import type { ChunkLoader } from '../../compute/chunkLoader.js';
import type { CalibrationKernels } from '../../kernels/calibrationKernels.js';
import type { Handlers } from '../../rpc/rpc.js';
import { makeSeeing } from '../seeing.js';
import type { GramApi, StatisticsTask } from './tasks.js';

/** Sums over inputs in a worker. */
export function makeGramMethods(
  loader: ChunkLoader,
  kernels: CalibrationKernels,
): Handlers<GramApi> {
  const { memory } = loader;
  const seeing = makeSeeing(loader);
  const sumsOf = ({ sumAbs, columns: { first, end } }: StatisticsTask) =>
    new Float64Array(memory.buffer, sumAbs + first * 8, end - first);

  return {
    clearGram: seeing(({ gram: { at, order }, band }) => {
      const count = (band.end - band.first) * order;
      new Float64Array(memory.buffer, at + band.first * order * 8, count).fill(0);
    }),
    addGram: seeing((task) => kernels.addGram({ ...task, scratch: task.region.start })),
    mirrorGram: seeing(({ gram, band }) => kernels.copyTriangle(gram, band, 'upper')),
    clearStatistics: seeing((task) => {
      const { min, max, columns } = task;
      const floats = (at: number) =>
        new Float32Array(memory.buffer, at + columns.first * 4, columns.end - columns.first);
      sumsOf(task).fill(0);
      floats(min).fill(Infinity);
      floats(max).fill(-Infinity);
    }),
    addStatistics: seeing((task) => kernels.addStatistics(task)),
    readSums: seeing((task) => sumsOf(task).slice()),
  };
}
