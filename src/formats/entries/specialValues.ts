import { makeMinifloatGrid } from '../grid.js';
import type { FormatEntry } from '../types.js';

// Four-bit blocks that spend their codes or scales otherwise: a scale for each sign, other levels, special values.

function amxfp4Entry(): FormatEntry {
  const grid = makeMinifloatGrid({ fractionBits: 1, minExponent: 0, largest: 6, ties: 'away' });
  return {
    name: 'amxfp4',
    label: 'AMXFP4',
    family: 'Special values',
    bits: 4,
    description: 'E2M1, own 8-bit float scale for + and − per 32 (AMXFP4)',
    source: 'AMXFP4, arXiv 2411.09909 (scales in E5M2)',
    reconstructed: false,
    notes: [
      "AFPQ's two scales in MX blocks. Scales below 2^−17 become 0, and so do the weights of their sign.",
    ],
    rule: { kind: 'grid', grid, scaling: 'by-sign-e5m2' },
    levelCount: grid.levels.length,
    fixedGroup: { kind: 'columns', size: 32 },
    scalesPerGroup: 0,
    extraBitsPerGroup: 16,
  };
}

export const SPECIAL_VALUE_ENTRIES = [amxfp4Entry()];
