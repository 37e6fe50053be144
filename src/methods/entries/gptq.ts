import { needsTensorRange } from '../../formats/rules.js';
import type { NumberFormat } from '../../formats/types.js';
import type { FixedRange } from '../../kernels/types.js';
import type { CallOptions } from '../../rpc/rpc.js';
import type { Factorization } from '../gptq/factorize.js';
import { factorizationNotes, factorizeSite } from '../gptq/factorizeSite.js';
import { quantizeRowsScratchBytes } from '../gptq/quantizeRows.js';
import type { GptqApi, RowLosses } from '../gptq/tasks.js';
import { bandsOf } from '../gram/gram.js';
import type {
  CalibratedLinear,
  CalibrationMethod,
  CalibrationSite,
  Gram,
  StepFinding,
  StepOptions,
} from '../types.js';

/** Why groups of a format cannot be quantized column by column; undefined where they can. */
function refuses({ entry }: NumberFormat): string | undefined {
  const { kind } = entry.rule;
  return kind === 'ggml' || kind === 'block-choice'
    ? `GPTQ rounds one column of weights after the other, but ${entry.label} fits a whole block at once.`
    : undefined;
}

/** Extremes of the finite weights of a tensor, where the format needs them. */
async function findTensorRange(
  { machine, inputs, format }: CalibrationSite,
  { weights, outputs }: CalibratedLinear,
  { signal }: CallOptions,
): Promise<FixedRange | undefined> {
  if (!needsTensorRange(format)) return undefined;
  let [lo, hi] = [Infinity, -Infinity];
  const tasks = bandsOf(machine, outputs).map((rows) => ({
    weights,
    rows,
    inputs,
    scratchBytes: 0,
  }));
  await machine.tasks<GptqApi>().run(
    'weightRange',
    tasks,
    (range) => {
      lo = Math.min(lo, range.lo);
      hi = Math.max(hi, range.hi);
    },
    signal,
  );
  return lo > hi ? { lo: 0, hi: 0 } : { lo, hi };
}

/** Quantizes one linear map in place. @returns its losses, of all rows and by input */
async function quantizeLinear(
  site: CalibrationSite,
  linear: CalibratedLinear,
  { factor, order, dead }: Factorization,
  { block, staticGroups }: { readonly block: number; readonly staticGroups: boolean },
  call: CallOptions,
): Promise<{ readonly loss: number; readonly byInput: Float64Array }> {
  const { machine, inputs, format, scaleDtype } = site;
  const { weights, outputs } = linear;
  const tensorRange = await findTensorRange(site, linear, call);
  const shared = {
    ...{ weights, inputs, factor, order, dead, block, staticGroups, scaleDtype, tensorRange },
    format: format.id,
  };
  const tasks = bandsOf(machine, outputs).map((rows) => ({
    ...shared,
    rows,
    scratchBytes: quantizeRowsScratchBytes(format, { ...shared, rows }),
  }));
  let loss = 0;
  const byInput = new Float64Array(inputs);
  const add = (losses: RowLosses) => {
    // Row after row, so that the sum does not depend on the tasks.
    losses.rows.forEach((value) => (loss += value));
    losses.inputs.forEach((value, input) => (byInput[input] += value));
  };
  await machine.tasks<GptqApi>().run('quantizeRows', tasks, add, call.signal);
  return { loss, byInput };
}

/** Bins of inputs in a report: no chart has more. */
const BINS = 128;

/** Losses of runs of neighbouring inputs, averaged over rows. */
function describeByInput(byInput: Float64Array, rows: number) {
  const inputsPerBin = Math.ceil(byInput.length / BINS);
  const bins = Math.ceil(byInput.length / inputsPerBin);
  const lossByInput = Array.from({ length: bins }, (_, bin) => {
    const run = byInput.subarray(bin * inputsPerBin, (bin + 1) * inputsPerBin);
    // To the digits that do not depend on the order in which threads add.
    return Number((run.reduce((sum, value) => sum + value, 0) / rows).toPrecision(6));
  });
  return { lossByInput, inputsPerBin };
}

async function quantize(
  site: CalibrationSite,
  gram: Gram,
  options: StepOptions,
  call: CallOptions,
): Promise<readonly StepFinding[]> {
  const { block, inputs, linears, format } = site;
  const tensors = linears.map(({ name }) => name);
  const refusal = refuses(format);
  if (refusal) throw new Error(refusal);
  const { group } = format;
  if (group.kind === 'blocks' && inputs % group.size !== 0) {
    throw new Error(
      `GPTQ needs blocks that end with their rows: ${tensors.join(', ')} have ${inputs} inputs, ${format.id} blocks of ${group.size}`,
    );
  }
  const damp = Number(options.damp);
  const actOrder = options['act-order'] === true;
  const factorization = await factorizeSite(site, gram, { damp, actOrder }, call);
  // A format's own blocks have their places in the file: they cannot follow another order.
  const staticGroups =
    options['static-groups'] === true || (actOrder && format.entry.fixedGroup !== undefined);
  const columns = Math.min(Number(options.block), inputs);
  const notes = factorizationNotes(factorization, damp);
  const findings: StepFinding[] = [];
  for (const linear of linears) {
    const { loss, byInput } = await quantizeLinear(
      site,
      linear,
      factorization,
      { block: columns, staticGroups },
      call,
    );
    findings.push({
      block,
      tensors: [linear.name],
      values: {
        loss: loss / gram.rows,
        damping: factorization.damping,
        ...describeByInput(byInput, gram.rows),
      },
      notes,
    });
  }
  return findings;
}

/** GPTQ (arXiv 2210.17323): columns are rounded one by one, later ones make up for the errors. */
export const GPTQ = Object.freeze<CalibrationMethod>({
  name: 'gptq',
  label: 'GPTQ',
  description:
    'Rounds column after column; later weights make up for the errors, by what inputs say',
  source: 'arXiv 2210.17323; github.com/IST-DASLab/gptq',
  reconstructed: false,
  notes: [
    'Loss is the squared error of the outputs, summed over outputs and averaged over rows, with damping.',
    "With act-order, groups are runs of inputs in the order of quantization, unless static-groups or the format's own blocks fix them.",
  ],
  options: [
    {
      name: 'damp',
      description: 'added to the diagonal of the inputs’ products, relative to its mean',
      default: 0.01,
    },
    {
      name: 'block',
      description: 'columns after which later groups see what was lost',
      default: 128,
      range: [1, 65536],
      isWhole: true,
    },
    { name: 'act-order', description: 'inputs with the largest products first', default: false },
    {
      name: 'static-groups',
      description: 'groups and their scales from the weights as they were',
      default: false,
    },
    {
      name: 'order',
      description:
        'sequential: each linear map sees what the ones before it became; per-block: those of a block see the block unquantized',
      default: 'sequential',
      values: ['sequential', 'per-block'],
    },
  ],
  defaults: {
    windows: 64,
    context: 256,
    published: '128 sequences of 2048 tokens of C4',
    passes: 2,
  },
  refuses,
  quantize: Object.freeze({ needs: 'gram' as const, quantize }),
});
