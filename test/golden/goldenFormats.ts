import { parseFormat, type NumberFormat } from '../../src/formats/index.js';
import type { GoldenEntry } from './golden.js';

/** Stands for the entry's group in format names. */
const GROUP = ':GROUP';

/** Format name of an entry, by family: those that have a format of the catalogue. */
export const FORMAT_OF: Readonly<Record<string, (entry: GoldenEntry) => string>> = {
  int_gptq: ({ bits, sym, mse }) =>
    `int${bits}-${sym ? 'sym' : 'asym'}${GROUP}${mse ? '+mse' : ''}`,
  int_awq: ({ name, bits, sym }) =>
    `int${bits}-${sym ? 'absmax' : 'awq'}${name.includes('.away.') ? '-away' : ''}${GROUP}`,
  afpq: ({ name, bits, fmt, two_scale }) =>
    `${two_scale ? 'a' : ''}${fmt}${bits}${name.includes('.ste.') ? '-ste' : ''}${GROUP}`,
  afpq_fixed: ({ bits, fmt }) => `a${fmt}${bits}${GROUP}`,
  dint: ({ bits }) => `dint${bits}${GROUP}`,
  mx: ({ fmt, round }) =>
    `mx${fmt === 'fp4_e2m1' ? 'fp4' : fmt!.replace('_', '-')}${round === 'nearest' ? '-away' : ''}`,
  bnb4: ({ fmt }) => `bnb-${fmt}${GROUP}`,
  nvfp4: ({ name }) => (name.includes('.onelevel.') ? 'nvfp4-onelevel' : 'nvfp4'),
};

/** The format that an entry is about. */
export function formatOf(entry: GoldenEntry): NumberFormat {
  const group = entry.group === -1 ? ':row' : `:g${entry.group}`;
  return parseFormat(FORMAT_OF[entry.family](entry).replace(GROUP, group));
}

/** Extremes of all weights, which two-level scales need. */
export function rangeOf(weights: Float32Array) {
  return { lo: Math.min(...weights), hi: Math.max(...weights) };
}
