import {
  addStatistics,
  clearStatistics,
  placeStatistics,
  readStatistics,
} from '../../methods/gram/gram.js';
import type { InputStatistics } from '../../methods/types.js';
import { linearsAt, type InputSite } from '../forward/block.js';
import type { CalibrationWalk, VisitedBlock } from './calibrationWalk.js';

/** Statistics over all rows of what linear maps take at a site. @param at place of the site's statistics */
export async function gatherStatistics(
  { stages, request, options }: CalibrationWalk,
  block: VisitedBlock,
  site: InputSite,
  at: number,
): Promise<InputStatistics> {
  const { pool } = request;
  const [{ inputs }] = linearsAt(block.plan, site);
  const placed = placeStatistics(at, inputs);
  const source = { rows: 0, columns: inputs, placed, inputs: { at: 0, stride: inputs } };
  await clearStatistics(pool, source, options);
  await stages.observe(site, block.placed, ({ matrix, rows }) =>
    addStatistics(pool, { ...source, inputs: matrix, rows }, options),
  );
  return readStatistics(pool, { ...source, rows: stages.rows });
}
