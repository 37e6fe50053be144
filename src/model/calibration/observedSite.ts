import type { LinearPlan } from '../config/plan.js';
import { linearsAt, type InputSite } from '../forward/block.js';
import type { BlockStages, UseRows } from './blockStages.js';
import type { VisitedBlock } from './calibrationWalk.js';

/** Linear maps of a block that take the same inputs: of all rows, or of those that are routed to an expert. */
export interface ObservedSite {
  /** What it is called within the block. */
  readonly name: string;
  readonly site: InputSite;
  readonly linears: readonly LinearPlan[];
  /** Rows that it sees of the calibration windows; of an expert perhaps none. */
  readonly rows: number;
  /** Hands over all of these rows, some at a time, in their order; see {@link BlockStages.observe}. */
  observe(use: UseRows): Promise<void>;
}

/** A site that all rows pass, once those before it have been passed. */
export function siteOfAllRows(
  stages: BlockStages,
  { plan, placed }: VisitedBlock,
  site: InputSite,
): ObservedSite {
  return {
    name: site,
    site,
    linears: linearsAt(plan, site),
    rows: stages.rows,
    observe: (use) => stages.observe(site, placed, use),
  };
}
