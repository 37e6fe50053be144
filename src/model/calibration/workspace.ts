import type { WorkerPool } from '../../compute/workerPool.js';
import { statisticsBytes } from '../../methods/gram/gram.js';
import type { CalibratedLinear, Gram } from '../../methods/types.js';
import type { LinearPlan, ModelPlan } from '../config/plan.js';
import { INPUT_SITES, linearsAt } from '../forward/block.js';

const ALIGNMENT = 64;

/** Bytes of a gram of so many inputs. */
function gramBytes(inputs: number): number {
  return inputs * inputs * 8;
}

/** Where things lie while the weights of a site are chosen. */
export interface SitePlaces {
  /** f64 [inputs × inputs]. */
  readonly gram: Gram;
  /** Of {@link statisticsBytes}. */
  readonly statistics: number;
  /** Those that were asked for, as f32 rows. */
  readonly linears: readonly CalibratedLinear[];
}

/** Memory for one site at a time: its inputs' products, and its weights as rows. */
export class Workspace {
  private readonly start: number;

  constructor(pool: WorkerPool, { blocks }: ModelPlan) {
    const bytes = blocks.flatMap((block) =>
      INPUT_SITES.map((site) => linearsAt(block, site))
        .filter((linears) => linears.length > 0)
        .map((linears) => layOut(0, linears, 0).end),
    );
    this.start = pool.reserve(Math.max(...bytes)).start;
  }

  /** Address of room for a vector, as long as no site has its places. */
  get scratch(): number {
    return this.start;
  }

  /** Places for a site; those of the one before are then no longer valid. */
  of(linears: readonly LinearPlan[], rows: number): SitePlaces {
    return layOut(this.start, linears, rows).places;
  }
}

function layOut(
  start: number,
  linears: readonly LinearPlan[],
  rows: number,
): { readonly places: SitePlaces; readonly end: number } {
  let top = start;
  const take = (bytes: number) => {
    const at = Math.ceil(top / ALIGNMENT) * ALIGNMENT;
    top = at + bytes;
    return at;
  };
  const [{ inputs }] = linears;
  const places = {
    gram: { at: take(gramBytes(inputs)), rows },
    statistics: take(statisticsBytes(inputs)),
    linears: linears.map(({ weight, outputs }) => ({
      name: weight,
      outputs,
      weights: { at: take(outputs * inputs * 4), stride: inputs },
    })),
  };
  return { places, end: top };
}
