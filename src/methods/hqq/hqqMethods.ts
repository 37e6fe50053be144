import type { ChunkLoader } from '../../compute/chunkLoader.js';
import type { Handlers } from '../../rpc/rpc.js';
import { HalfQuadraticGroup, ROUNDS } from './halfQuadratic.js';
import type { HqqApi, HqqTask } from './tasks.js';

/** Half-quadratic quantization in a worker. */
export function makeHqqMethods(loader: ChunkLoader): Handlers<HqqApi> {
  function* groupsOf({ weights, groupColumns, bits, memoryEnd }: HqqTask) {
    loader.ensureVisible(memoryEnd);
    const { at, rows, inputs } = weights;
    for (let row = 0; row < rows; row++) {
      for (let first = 0; first < inputs; first += groupColumns) {
        const columns = Math.min(groupColumns, inputs - first);
        const address = at + (row * inputs + first) * 4;
        const group = new Float32Array(loader.memory.buffer, address, columns);
        yield new HalfQuadraticGroup(group, bits);
      }
    }
  }
  return {
    hqqErrors(task) {
      const errors = new Float64Array(ROUNDS);
      for (const group of groupsOf(task)) {
        for (let round = 0; round < ROUNDS; round++) errors[round] += group.improve(round);
      }
      return errors;
    },
    hqqQuantize(task) {
      let errors = 0;
      for (const group of groupsOf(task)) {
        for (let round = 0; round < task.rounds; round++) group.improve(round);
        errors += group.replaceWeights(task.scaleDtype);
      }
      return errors;
    },
  };
}
