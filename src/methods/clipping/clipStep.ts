import type { TaskMachine, TaskOf } from '../../compute/taskMachine.js';
import { needsTensorRange } from '../../formats/rules.js';
import type { FixedRange } from '../../kernels/types.js';
import { countRegionBytes } from '../../kernels/workspace.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { weightRuns, type WeightRun } from '../weightRuns.js';
import type { CalibratedLinear, CalibrationSite, ClipStep, Gram, StepFinding } from '../types.js';
import { clipCandidates, type ClipKind } from './candidates.js';
import { clipGroupColumns } from './clipGroups.js';
import { CLIP_ROWS } from './searchClips.js';
import type { ClipApi } from './tasks.js';

/** Rows that both originals sample. */
const SAMPLED_ROWS = 512;

/** The step that clamps weights to the ranges a search finds, with the format's own quantizer. */
export function makeClipStep(kind: ClipKind, leftOutBy?: string): ClipStep {
  return {
    leftOutBy,
    clips: ({ isQueryOrKey }) => !isQueryOrKey,
    sampledRows: SAMPLED_ROWS,
    async clip(site, gram, _options, call) {
      const findings: StepFinding[] = [];
      for (const linear of site.linears) {
        findings.push(await clipLinear({ kind, site, linear, gram, call }));
      }
      return findings;
    },
  };
}

interface LinearToClip {
  readonly kind: ClipKind;
  readonly site: CalibrationSite;
  readonly linear: CalibratedLinear;
  readonly gram: Gram;
  readonly call: CallOptions;
}

async function clipLinear(job: LinearToClip): Promise<StepFinding> {
  const { kind, site, linear, gram, call } = job;
  const { machine, block, inputs, format, scaleDtype } = site;
  const about = { block, tensors: [linear.name] };
  const groupColumns = clipGroupColumns(format, inputs);
  if (groupColumns === undefined) {
    return { ...about, values: {}, notes: ['not clipped: groups of this format cross its rows'] };
  }
  const runs = weightRuns(linear, inputs, CLIP_ROWS);
  const range = needsTensorRange(format) ? await findWeightRange(machine, runs, call) : undefined;
  const tasks = runs.map((weights): TaskOf<ClipApi, 'clipRows'> => ({
    weights,
    kind,
    groupColumns,
    gram: gram.at,
    sampledRows: gram.rows,
    format: { id: format.id, tensorRange: range },
    scaleDtype,
    scratchBytes: countRegionBytes(weights.rows * groupColumns),
  }));
  const counts: number[] = clipCandidates(kind).map(() => 0);
  let [error, errorUnclipped] = [0, 0];
  await machine.tasks<ClipApi>().run(
    'clipRows',
    tasks,
    (chosen) => {
      chosen.counts.forEach((count, candidate) => (counts[candidate] += count));
      error += chosen.error;
      errorUnclipped += chosen.errorUnclipped;
    },
    call.signal,
  );
  const values = { ...meanFactors(kind, counts), error, errorUnclipped };
  return { ...about, values };
}

/** Means over groups of what the ends of their ranges were multiplied by, and the share that was clipped. */
function meanFactors(kind: ClipKind, counts: readonly number[]): Record<string, number> {
  const groups = counts.reduce((sum, count) => sum + count, 0);
  const meanOf = (end: 'low' | 'high') =>
    clipCandidates(kind).reduce((sum, factors, i) => sum + counts[i] * factors[end], 0) / groups;
  const clippedShare = 1 - counts[0] / groups;
  return kind === 'symmetric'
    ? { meanFactor: meanOf('high'), clippedShare }
    : { meanHighFactor: meanOf('high'), meanLowFactor: meanOf('low'), clippedShare };
}

/** Extremes of all weights. */
export async function findWeightRange(
  machine: TaskMachine,
  runs: readonly WeightRun[],
  { signal }: CallOptions,
): Promise<FixedRange> {
  let [lo, hi] = [Infinity, -Infinity];
  await machine.tasks<ClipApi>().run(
    'rangeOfRows',
    runs.map((weights) => ({ weights, scratchBytes: 0 })),
    (range) => {
      lo = Math.min(lo, range.lo);
      hi = Math.max(hi, range.hi);
    },
    signal,
  );
  return { lo, hi };
}
