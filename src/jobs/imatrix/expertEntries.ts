import type { ImportanceEntry } from '../../gguf/imatrix.js';
import type { ExpertSquares } from '../../model/calibration/expertSquares.js';
import { expertNames } from './names.js';

/** The experts of a block are one tensor of llama.cpp's, with sums and a count for each: entries by its names. */
export function expertEntries(
  squares: readonly ExpertSquares[],
): ReadonlyMap<string, ImportanceEntry> {
  const groups = new Map<string, ExpertSquares[]>();
  for (const each of squares) {
    const key = `${each.block} ${each.site}`;
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  const entries = new Map<string, ImportanceEntry>();
  for (const experts of groups.values()) {
    const [{ block, site, sums }] = experts;
    const all = new Float32Array(experts.length * sums.length);
    for (const { expert, sums: own } of experts) all.set(own, expert * sums.length);
    const counts = Float32Array.from(experts, ({ rows }) => rows);
    const entry = { inputs: sums.length, matrices: experts.length, sums: all, counts };
    for (const name of expertNames(block, site)) entries.set(name, entry);
  }
  return entries;
}
