import {
  addStatistics,
  clearStatistics,
  placeStatistics,
  readStatistics,
} from '../../methods/gram/gram.js';
import type { InputStatistics } from '../../methods/types.js';
import type { CalibrationWalk } from './calibrationWalk.js';
import type { ObservedSite } from './observedSite.js';

/** Statistics over all rows, at least one, that linear maps take at a site. @param at of `statisticsBytes` */
export async function gatherStatistics(
  { request, options }: CalibrationWalk,
  site: ObservedSite,
  at: number,
): Promise<InputStatistics> {
  const { pool } = request;
  const [{ inputs }] = site.linears;
  const placed = placeStatistics(at, inputs);
  const source = { rows: 0, columns: inputs, placed, inputs: { at: 0, stride: inputs } };
  await clearStatistics(pool, source, options);
  await site.observe(({ matrix, rows }) =>
    addStatistics(pool, { ...source, inputs: matrix, rows }, options),
  );
  return readStatistics(pool, { ...source, rows: site.rows });
}
