import type { ChunkLoader } from '../../compute/chunkLoader.js';
import type { CalibrationKernels, Run, SquareMatrix } from '../../kernels/calibrationKernels.js';
import type { FixedRange } from '../../kernels/types.js';
import type { Handlers } from '../../rpc/rpc.js';
import { makeSeeing } from '../seeing.js';
import { RowsToQuantize } from './quantizeRows.js';
import type { GptqApi, PermutationTask, WeightRowsTask } from './tasks.js';

/** GPTQ's tasks in a worker. */
export function makeGptqMethods(
  loader: ChunkLoader,
  kernels: CalibrationKernels,
): Handlers<GptqApi> {
  const { memory } = loader;
  const seeing = makeSeeing(loader);
  const rowOf = ({ at, order }: SquareMatrix, row: number) =>
    new Float64Array(memory.buffer, at + row * order * 8, order);

  return {
    readDiagonal: seeing(({ matrix }) =>
      Float64Array.from({ length: matrix.order }, (_, i) => rowOf(matrix, i)[i]),
    ),
    writeDiagonal: seeing(({ matrix, values }) => {
      values.forEach((value, i) => (rowOf(matrix, i)[i] = value));
    }),
    permuteColumns: seeing(({ matrix, run, order }) => {
      const kept = new Float64Array(matrix.order);
      for (let row = run.first; row < run.end; row++) {
        const values = rowOf(matrix, row);
        kept.set(values);
        order.forEach((from, to) => (values[to] = kept[from]));
      }
    }),
    permuteRows: seeing((task) => permuteRows((row) => rowOf(task.matrix, row), task)),
    restoreRows: seeing(({ matrix, run }) => kernels.copyTriangle(matrix, run, 'lower')),
    factorBlock: seeing(({ matrix, block, floors, region }) => {
      const scratch = region.start + Math.ceil(floors.byteLength / 64) * 64;
      new Float64Array(memory.buffer, region.start, floors.length).set(floors);
      return kernels.factorDiagonal({ matrix, block, scratch }, region.start);
    }),
    solveRows: seeing(({ matrix, block, rows, region }) =>
      kernels.solveRows({ matrix, block, scratch: region.start }, rows),
    ),
    updateRows: seeing(({ matrix, block, rows, region }) =>
      kernels.updateRows({ matrix, block, scratch: region.start }, rows),
    ),
    weightRange: seeing((task) => findRange(new Float32Array(memory.buffer), task)),
    quantizeRows: seeing((task) => new RowsToQuantize(loader, kernels, task).run()),
  };
}

/** Moves parts of rows to their new places along the cycles of the permutation. */
function permuteRows(rowOf: (row: number) => Float64Array, { run, order }: PermutationTask): void {
  const part = ({ first, end }: Run, row: number) => rowOf(row).subarray(first, end);
  const done = new Uint8Array(order.length);
  for (let start = 0; start < order.length; start++) {
    if (done[start]) continue;
    const kept = part(run, start).slice();
    let to = start;
    for (; order[to] !== start; to = order[to]) {
      part(run, to).set(part(run, order[to]));
      done[to] = 1;
    }
    part(run, to).set(kept);
    done[to] = 1;
  }
}

function findRange(floats: Float32Array, { weights, rows, inputs }: WeightRowsTask): FixedRange {
  let lo = Infinity;
  let hi = -Infinity;
  for (let row = rows.first; row < rows.end; row++) {
    const at = weights.at / 4 + row * weights.stride;
    for (let i = at; i < at + inputs; i++) {
      const weight = floats[i];
      if (!Number.isFinite(weight)) continue;
      if (weight < lo) lo = weight;
      if (weight > hi) hi = weight;
    }
  }
  return { lo, hi };
}
