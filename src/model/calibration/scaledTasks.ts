import { formatForWidth } from '../../formats/index.js';
import type { LinearPlan } from '../config/plan.js';
import type { CalibrationWalk } from './calibrationWalk.js';

/** How the linear maps of a site are changed, for a moment. */
export interface Candidate {
  /** f32 [inputs]; absent: none. */
  readonly factors?: Float32Array;
  /** Weights are Q(w·s)/s; else Q(w·s), for inputs that are divided by s. */
  readonly scaleBack: boolean;
  /** The difference that it makes, instead of the weights. */
  readonly lessStored: boolean;
}

/** Tasks that bring weights of a candidate into memory. @param places of the maps, as rows or packed */
export async function scaledTasks(
  walk: CalibrationWalk,
  linears: readonly LinearPlan[],
  places: ReadonlyMap<LinearPlan, number>,
  candidate: Candidate,
) {
  const { request, weights } = walk;
  const placements = linears.map((linear) => ({
    linear,
    at: places.get(linear)!,
    change: {
      ...walk.request.base.get(linear.weight),
      format: formatForWidth(request.format, linear.inputs),
    },
  }));
  await weights.findRanges(placements);
  return placements.flatMap((placement) =>
    [...weights.packTasks(placement)].map((task) => ({ ...task, ...candidate })),
  );
}
