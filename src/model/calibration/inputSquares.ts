import type { ImportanceOf } from '../../methods/types.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { visible } from '../../storage/errors.js';
import { hasExperts } from '../evaluation/routedStates.js';
import { observeInputs } from '../evaluation/evaluate.js';
import type { ObservedInputs } from '../evaluation/inputObserver.js';
import { findExpertSquares } from './expertSquares.js';
import { addSquares, type InputSquares } from './squares.js';
import type { InputRangesRequest } from './inputRanges.js';
import type { CalibrationRequest } from './types.js';

/**
 * Σx² of the inputs of each linear map of a model's blocks while windows pass through it, in one walk for all
 * maps. Rows are added in their order, in f64: sums do not depend on batches or threads.
 * @returns by the name of the weights' tensor; experts, which see some rows only, have none
 * @throws naming the tensor where an input is not finite
 */
export async function findInputSquares(
  { pool, model, windows, settings, variant }: InputRangesRequest,
  options: CallOptions = {},
): Promise<ReadonlyMap<string, InputSquares>> {
  const blocks = model.plan.blocks.length;
  /** Maps that share their inputs share their sums. */
  const found = new Map<string, { sums: Float64Array; rows: number }>();
  const observer = {
    variant: variant?.id,
    wants: (_: unknown, block: number) => block >= 0 && block < blocks,
    observe({ linears, values, rows, inputs }: ObservedInputs) {
      const [{ weight: first }] = linears;
      let own = found.get(first);
      if (!own) {
        own = { sums: new Float64Array(inputs), rows: 0 };
        for (const { weight } of linears) found.set(weight, own);
      }
      if (!addSquares(own.sums, values)) {
        throw new Error(`Inputs of "${visible(first)}" are not finite`);
      }
      own.rows += rows;
    },
  };
  const variants = variant ? [variant] : [];
  const request = { pool, model, windows, variants, settings: { ...settings, observer } };
  await observeInputs(request, options);
  return found;
}

/** Bytes for the hidden states in flight while inputs are looked at. */
const MEMORY_BUDGET_BYTES = 256 * 1024 * 1024;

/** Mean squares of the inputs of the model that earlier steps have left. */
export async function findImportance(
  {
    pool,
    model,
    windows,
    scaleDtype,
    base,
    tensors,
  }: Pick<CalibrationRequest, 'pool' | 'model' | 'windows' | 'scaleDtype' | 'base' | 'tensors'>,
  options: CallOptions,
): Promise<ImportanceOf> {
  const settings = { scaleDtype, memoryBudgetBytes: MEMORY_BUDGET_BYTES };
  const variant = base.size > 0 ? { id: 'calibrated', changes: base } : undefined;
  const squares = await findInputSquares({ pool, model, windows, settings, variant }, options);
  const ofExperts = new Map<string, InputSquares>();
  if (hasExperts(model.plan)) {
    const walk = { pool, model, windows, scaleDtype, base, tensors };
    for (const { tensors: names, expert, ...sums } of await findExpertSquares(walk, options)) {
      for (const name of names) ofExperts.set(`${expert} ${name}`, sums);
    }
  }
  return (name, expert) => {
    const found = expert === undefined ? squares.get(name) : ofExperts.get(`${expert} ${name}`);
    return found && found.rows > 0
      ? Float32Array.from(found.sums, (sum) => sum / found.rows)
      : undefined;
  };
}
