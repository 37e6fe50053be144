import type { TaskMachine } from '../../compute/taskMachine.js';
import type { MemoryRegion } from '../../kernels/workspace.js';
import { expertsOf, linearsOf, type FeedForwardPlan, type ModelPlan } from '../config/plan.js';
import { layOutExperts } from './placement.js';
import type { WeightStore } from './weightStore.js';

/** Experts come into memory together up to this, so that small ones do not wait for each other. */
const TOGETHER_BYTES = 64 << 20;
/** Of alignment. */
const SLACK_BYTES = 64;

/** Where experts take turns. */
export interface ExpertRegions {
  /** Weights that are computed with. */
  readonly packed: MemoryRegion;
  /** Their bytes as stored, where variants need them several times. */
  readonly stored?: MemoryRegion;
}

/** Bytes of an expert's weights, packed and as stored. */
export function countExpertBytes(
  expert: FeedForwardPlan,
  weights: WeightStore,
): { readonly packed: number; readonly stored: number } {
  const linears = linearsOf(expert);
  return {
    packed: layOutExperts([expert], 0).bytes + SLACK_BYTES,
    stored: linears.reduce((sum, linear) => sum + weights.countKeptBytes(linear), 0),
  };
}

export interface ExpertRegionsSetup {
  readonly pool: TaskMachine;
  readonly plan: ModelPlan;
  readonly weights: WeightStore;
  /** Room for stored bytes, at most; absent: none are kept. */
  readonly maxStored?: number;
  /** Room for several experts together, at most. */
  readonly togetherBytes?: number;
}

/** Reserves room for the largest expert, and for more where they are small; undefined where there are none. */
export function reserveExpertRegions({
  pool,
  plan,
  weights,
  maxStored = 0,
  togetherBytes = TOGETHER_BYTES,
}: ExpertRegionsSetup): ExpertRegions | undefined {
  let [packed, stored] = [0, 0];
  for (const block of plan.blocks) {
    const bytes = expertsOf(block).map((expert) => countExpertBytes(expert, weights));
    packed = Math.max(
      packed,
      roomFor(
        bytes.map((each) => each.packed),
        togetherBytes,
      ),
    );
    stored = Math.max(
      stored,
      roomFor(
        bytes.map((each) => each.stored),
        togetherBytes,
      ),
    );
  }
  if (packed === 0) return undefined;
  return {
    packed: reserve(pool, packed),
    stored: stored <= maxStored ? reserve(pool, stored) : undefined,
  };
}

/** Exactly so many bytes: the pool rounds up, and what experts come in turns by is not to depend on that. */
function reserve(pool: TaskMachine, bytes: number): MemoryRegion {
  return { start: pool.reserve(bytes).start, bytes };
}

/** Room for each of these, and for several together up to a bound. */
export function roomFor(sizes: readonly number[], togetherBytes = TOGETHER_BYTES): number {
  const all = sizes.reduce((sum, size) => sum + size, 0);
  return Math.max(0, ...sizes, Math.min(all, togetherBytes));
}
