import type { ChunkLoader } from '../../compute/chunkLoader.js';
import { parseFormat } from '../../formats/index.js';
import { findGroupRange } from '../../kernels/reference/groupQuantizer.js';
import type { Handlers } from '../../rpc/rpc.js';
import { searchClips } from './searchClips.js';
import type { WeightRun } from '../weightRuns.js';
import type { ClipApi } from './tasks.js';

/** Clip searches in a worker. */
export function makeClipMethods(loader: ChunkLoader): Handlers<ClipApi> {
  const weightsOf = ({ at, rows, inputs }: WeightRun, memoryEnd: number) => {
    loader.ensureVisible(memoryEnd);
    return new Float32Array(loader.memory.buffer, at, rows * inputs);
  };
  return {
    clipRows(task) {
      const { weights, gram, format, region, memoryEnd } = task;
      const { inputs } = weights;
      const values = weightsOf(weights, memoryEnd);
      return searchClips(loader.kernelsIn(region), {
        ...task,
        weights: values,
        inputs,
        gram: new Float64Array(loader.memory.buffer, gram, inputs * inputs),
        format: parseFormat(format.id),
        tensorRange: format.tensorRange,
      });
    },
    rangeOfRows: ({ weights, memoryEnd }) => findGroupRange(weightsOf(weights, memoryEnd), true),
  };
}
