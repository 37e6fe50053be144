import type { TaskOf } from '../../compute/taskMachine.js';
import type { NumberFormat } from '../../formats/types.js';
import { needsTensorRange } from '../../formats/rules.js';
import { countRegionBytes } from '../../kernels/workspace.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { findWeightRange } from '../clipping/clipStep.js';
import type {
  CalibratedLinear,
  CalibrationSite,
  QuantizeWithImportance,
  StepFinding,
} from '../types.js';
import { weightRuns } from '../weightRuns.js';
import type { ImportanceApi } from './tasks.js';

/** Rows of weights that a task takes. */
const TASK_ROWS = 64;

/** Rounds each linear map by the mean squares of its inputs; one without those as its format alone has it. */
export const imatrixStep: QuantizeWithImportance = {
  needs: 'importance',
  async quantize(site, importanceOf, _options, call) {
    const findings: StepFinding[] = [];
    for (const linear of site.linears) {
      findings.push(await quantizeLinear(site, linear, importanceOf(linear.name), call));
    }
    return findings;
  },
};

/** Rows of a task: whole groups, also of groups that disregard rows. */
function countTaskRows({ group }: NumberFormat, inputs: number): number {
  let rows = TASK_ROWS;
  if (group.kind === 'blocks') while ((rows * inputs) % group.size !== 0) rows += TASK_ROWS;
  return rows;
}

async function quantizeLinear(
  { machine, block, inputs, format, scaleDtype }: CalibrationSite,
  linear: CalibratedLinear,
  importance: Float32Array | undefined,
  call: CallOptions,
): Promise<StepFinding> {
  const about = { block, tensors: [linear.name] };
  const runs = weightRuns(linear, inputs, countTaskRows(format, inputs));
  const range = needsTensorRange(format) ? await findWeightRange(machine, runs, call) : undefined;
  const tasks = runs.map((weights): TaskOf<ImportanceApi, 'quantizeWithout'> => ({
    weights,
    format: { id: format.id, tensorRange: range },
    scaleDtype,
    scratchBytes: countRegionBytes(weights.rows * inputs),
  }));
  const runner = machine.tasks<ImportanceApi>();
  // A row that is no whole blocks may be left with a format that has nothing to search for.
  if (!importance || format.entry.rule.kind === 'cast') {
    await runner.run('quantizeWithout', tasks, () => undefined, call.signal);
    const notes = importance ? undefined : ['rounded without an importance, which is missing'];
    return { ...about, values: {}, notes };
  }
  let [error, errorPlain] = [0, 0];
  await runner.run(
    'quantizeByImportance',
    tasks.map((task) => ({ ...task, importance })),
    ({ weighted, plain }) => {
      error += weighted;
      errorPlain += plain;
    },
    call.signal,
  );
  return { ...about, values: { weightedError: error, weightedErrorWithout: errorPlain } };
}
