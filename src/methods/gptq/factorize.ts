import type { TaskMachine } from '../../compute/taskMachine.js';
import {
  FACTOR_SCRATCH_BYTES,
  LARGEST_BAND,
  type Run,
  type SquareMatrix,
} from '../../kernels/calibrationKernels.js';
import { throwIfCancelled, type CallOptions } from '../../rpc/rpc.js';
import { bandsOf } from '../gram/gram.js';
import type { GptqApi } from './tasks.js';

/** Damping beyond which nothing is tried: the matrix is then mostly its diagonal. */
const LARGEST_DAMPING = 1;
/** What damping is raised to where none was wanted. */
const SMALLEST_DAMPING = 1e-4;
/** Times the order, of a pivot's own diagonal: what rounding may leave where a column depends on others. */
const ROUNDING = 2 ** -52;

const ignore = () => undefined;

/** A factor of a gram, in its place. */
export interface Factorization {
  /** U on and above the diagonal, with H = U·Uᵀ. */
  readonly factor: SquareMatrix;
  /** Inputs in the order of the factor's rows; absent: as they are. */
  readonly order?: Int32Array;
  /** Inputs that were always zero. */
  readonly dead: readonly number[];
  /** Of the mean of the diagonal: what was added to each of its entries. */
  readonly damping: number;
}

/** The diagonal has NaN or ±Inf: so did the inputs. */
export class NonFiniteGramError extends Error {
  override readonly name = 'NonFiniteGramError';
}

/**
 * Factors a damped gram from its last column to its first, in place; damping is raised where the gram is
 * not positive definite. Dead inputs count as if they had been 1 once.
 * @param options `damp`: of the mean of the diagonal; `actOrder`: inputs with the largest diagonal first
 * @throws NonFiniteGramError
 */
export async function factorize(
  machine: TaskMachine,
  gram: SquareMatrix,
  options: { readonly damp: number; readonly actOrder: boolean },
  call: CallOptions,
): Promise<Factorization> {
  const tasks = machine.tasks<GptqApi>();
  const matrix = gram;
  let diagonal: Float64Array = new Float64Array(0);
  const read = [{ matrix, scratchBytes: 0 }];
  await tasks.run('readDiagonal', read, (values) => void (diagonal = values), call.signal);
  if (!diagonal.every(Number.isFinite)) throw new NonFiniteGramError('A gram is not finite');
  const dead = [...diagonal.keys()].filter((input) => diagonal[input] === 0);
  for (const input of dead) diagonal[input] = 1;
  let order: Int32Array | undefined;
  if (options.actOrder) {
    const values = diagonal;
    order = Int32Array.from(values.keys()).sort((a, b) => values[b] - values[a] || a - b);
    const runs = bandsOf(machine, gram.order);
    for (const method of ['permuteColumns', 'permuteRows'] as const) {
      const moved = runs.map((run) => ({ matrix, run, order: order!, scratchBytes: 0 }));
      await tasks.run(method, moved, ignore, call.signal);
    }
    diagonal = Float64Array.from(order, (input) => values[input]);
  }
  const mean = diagonal.reduce((sum, value) => sum + value, 0) / diagonal.length;
  for (let damping = options.damp; ; damping = raised(damping)) {
    const damped = diagonal.map((value) => value + damping * mean);
    await tasks.run(
      'writeDiagonal',
      [{ matrix, values: damped, scratchBytes: 0 }],
      ignore,
      call.signal,
    );
    if (await factorInPlace(machine, matrix, damped, call)) {
      return { factor: matrix, order, dead, damping };
    }
    if (damping >= LARGEST_DAMPING) {
      throw new Error(`A gram cannot be factored, not even with a damping of ${damping}`);
    }
    // Below the diagonal, the gram is as it was.
    const restored = bandsOf(machine, gram.order).map((run) => ({ matrix, run, scratchBytes: 0 }));
    await tasks.run('restoreRows', restored, ignore, call.signal);
  }
}

function raised(damping: number): number {
  return Math.min(Math.max(damping * 10, SMALLEST_DAMPING), Math.max(damping, LARGEST_DAMPING));
}

/** @returns false where the matrix is not positive definite */
async function factorInPlace(
  machine: TaskMachine,
  matrix: SquareMatrix,
  diagonal: Float64Array,
  { signal }: CallOptions,
): Promise<boolean> {
  const tasks = machine.tasks<GptqApi>();
  const last = Math.floor((matrix.order - 1) / LARGEST_BAND) * LARGEST_BAND;
  for (let first = last; first >= 0; first -= LARGEST_BAND) {
    throwIfCancelled(signal);
    const block: Run = { first, end: Math.min(first + LARGEST_BAND, matrix.order) };
    const floors = diagonal
      .slice(block.first, block.end)
      .map((value) => value * matrix.order * ROUNDING);
    const scratchBytes = FACTOR_SCRATCH_BYTES;
    let isPositive = false;
    await tasks.run(
      'factorBlock',
      [{ matrix, block, floors, scratchBytes }],
      (result) => void (isPositive = result),
      signal,
    );
    if (!isPositive) return false;
    const steps = bandsOf(machine, first).map((rows) => ({ matrix, block, rows, scratchBytes }));
    for (const method of ['solveRows', 'updateRows'] as const) {
      await tasks.run(method, steps, ignore, signal);
    }
  }
  return true;
}
