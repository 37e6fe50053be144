import type { CallOptions } from '../../rpc/rpc.js';
import type { CalibratedLinear, CalibrationSite, QuantizeAlone, StepFinding } from '../types.js';
import { weightRuns } from '../weightRuns.js';
import { ROUNDS } from './halfQuadratic.js';
import type { HqqApi } from './tasks.js';

/** Rows of weights that a task takes. */
const TASK_ROWS = 64;
/** Mean errors from here on count as no improvement. */
const WORST_ERROR = 1e4;

/** Rounds until the mean error stops falling; the round that finds this out has moved the zero points, too. */
export function countRounds(meanErrors: readonly number[]): number {
  let best = WORST_ERROR;
  for (let round = 0; round < meanErrors.length; round++) {
    if (!(meanErrors[round] < best)) return round + 1;
    best = meanErrors[round];
  }
  return meanErrors.length;
}

/**
 * Quantizes in two passes: when to stop is decided by the mean error of the whole tensor, so the first
 * pass finds the errors of all rounds and the second repeats as many as are needed.
 */
export const hqqStep: QuantizeAlone = {
  needs: 'nothing',
  async quantize(site, _options, call) {
    const findings: StepFinding[] = [];
    for (const linear of site.linears) findings.push(await quantizeLinear(site, linear, call));
    return findings;
  },
};

async function quantizeLinear(
  { machine, block, inputs, format, scaleDtype }: CalibrationSite,
  linear: CalibratedLinear,
  { signal }: CallOptions,
): Promise<StepFinding> {
  const groupColumns = format.group.kind === 'columns' ? format.group.size : inputs;
  const tasks = weightRuns(linear, inputs, TASK_ROWS).map((weights) => ({
    weights,
    bits: format.entry.bits,
    groupColumns,
    scratchBytes: 0,
  }));
  const runner = machine.tasks<HqqApi>();
  const errors = new Array<number>(ROUNDS).fill(0);
  const weights = linear.outputs * inputs;
  await runner.run(
    'hqqErrors',
    tasks,
    (sums) => sums.forEach((sum, round) => (errors[round] += sum / weights)),
    signal,
  );
  const rounds = countRounds(errors);
  let finalError = 0;
  await runner.run(
    'hqqQuantize',
    tasks.map((task) => ({ ...task, rounds, scaleDtype })),
    (sum) => void (finalError += sum / weights),
    signal,
  );
  const values = { rounds, meanAbsErrorBefore: errors[0], meanAbsError: finalError };
  return { block, tensors: [linear.name], values };
}
