import type { WorkerPool } from '../../compute/workerPool.js';
import { statisticsBytes } from '../../methods/gram/gram.js';
import type { CalibratedLinear, Gram } from '../../methods/types.js';
import { expertsOf, type LinearPlan, type ModelPlan } from '../config/plan.js';
import { INPUT_SITES, linearsAt, type InputSite } from '../forward/block.js';

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

/**
 * How a walk uses its memory: `apart`: weights are chosen beside what attention came to; `shared`: they are
 * chosen without another look at that; `none`: nothing is chosen.
 */
export type WorkspaceUse = 'apart' | 'shared' | 'none';

/**
 * Memory for one site at a time: its inputs' products, and its weights as rows. What attention came to lies
 * here, too: it is needed at attention's output alone, and the largest products are those of another site.
 */
export class Workspace {
  /** Address of what attention came to, of all rows. */
  readonly attended: number;
  private readonly behind: number;
  private readonly shares: boolean;

  /** @param attendedBytes of what attention came to */
  constructor(pool: WorkerPool, { blocks }: ModelPlan, attendedBytes: number, use: WorkspaceUse) {
    const shares = use === 'shared';
    const chosen = use === 'none' ? [] : blocks;
    const bytes = chosen.flatMap((block) =>
      [
        ...INPUT_SITES.map((site) => ({ site, linears: linearsAt(block, site) })),
        ...expertsOf(block).flatMap(({ projections, down }) => [
          { site: 'feedForward', linears: projections },
          { site: 'down', linears: [down] },
        ]),
      ]
        .filter(({ linears }) => linears.length > 0)
        .map(({ site, linears }) => {
          const isOver = shares && site !== 'attentionOutput';
          return layOut(isOver ? 0 : attendedBytes, linears, 0).end;
        }),
    );
    this.attended = pool.reserve(Math.max(attendedBytes, ...bytes)).start;
    this.behind = this.attended + attendedBytes;
    this.shares = shares;
  }

  /** Address of room for a vector, as long as no site has its places. */
  get scratch(): number {
    return this.behind;
  }

  /** Places for a site; those of the one before are then no longer valid. */
  of(site: InputSite, linears: readonly LinearPlan[], rows: number): SitePlaces {
    const isOver = this.shares && site !== 'attentionOutput';
    return layOut(isOver ? this.attended : this.behind, linears, rows).places;
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
