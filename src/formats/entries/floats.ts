import { roundToF16 } from '../float32.js';
import { makeGridWithLowerTies, makeGridWithMidpoints, makeMinifloatGrid } from '../grid.js';
import type { FormatEntry, Grid, Minifloat } from '../types.js';

/** NF4's table of AFPQ's code (section 4.1). What bitsandbytes calls NF4 is the same; its code keeps f32. */
export const NF4_LEVELS: readonly number[] = [
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
  -0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725,
  0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
  0.7229568362236023, 1,
];
/** NF3's table of AFPQ's code (section 4.1). */
export const NF3_LEVELS: readonly number[] = [
  -1, -0.5350227355957031, -0.246931403875351, 0, 0.1833375245332718, 0.3819939494132996,
  0.6229856610298157, 1,
];

const AFPQ = 'AFPQ, arXiv 2311.01792';
const LEAK =
  'The original code leaves a whole column block unquantized where one group has no positive weight; here every group is quantized.';
const WASTED_CODE = 'Its two zero codes are one level, so one code is unused.';

interface Levels {
  readonly name: string;
  readonly label: string;
  readonly family: 'Float' | 'NormalFloat';
  readonly bits: number;
  readonly grid: Grid;
  readonly levelsName: string;
  readonly source: string;
  readonly notes: readonly string[];
}

/** The same levels with one scale, and with one for each sign (AFPQ). */
function withAndWithoutSigns(levels: Levels): FormatEntry[] {
  const common = {
    bits: levels.bits,
    reconstructed: false,
    levelCount: levels.grid.levels.length,
    extraBitsPerGroup: 0,
  };
  return [
    {
      ...common,
      name: levels.name,
      label: levels.label,
      family: levels.family,
      description: `${levels.levelsName}, one scale`,
      source: levels.source,
      notes: levels.notes,
      rule: { kind: 'grid', grid: levels.grid, scaling: 'shared' },
      scalesPerGroup: 1,
    },
    {
      ...common,
      name: `a${levels.name}`,
      label: `A${levels.label}`,
      family: 'AFPQ',
      description: `${levels.levelsName}, own scale for + and − (AFPQ)`,
      source: AFPQ,
      notes: [...levels.notes, LEAK],
      rule: { kind: 'grid', grid: levels.grid, scaling: 'by-sign' },
      scalesPerGroup: 2,
    },
  ];
}

/**
 * ExMy by its formula (LLM-FP4, section 4.2): all codes are numbers, subnormals included. The scale is
 * free, so the grid is given at the power of two that puts its largest value into [4, 8): scales then
 * have an ordinary size whatever the exponent width.
 */
export function exmyFormat(
  exponentBits: number,
  fractionBits: number,
  ties: Minifloat['ties'] = 'even',
): Minifloat {
  // Exponent bits 2^e − 1 binades above the subnormals; the top one is that of 4 … 8.
  const minExponent = 2 - (2 ** exponentBits - 2);
  return { fractionBits, minExponent, largest: (2 - 2 ** -fractionBits) * 4, ties };
}

/** Formats whose ties AFPQ's code decides. */
const AFPQ_TIES = ['e2m1', 'e2m0'];

/**
 * `fpN-eXmY` and `afpN-eXmY` for any X ≥ 1, Y ≥ 0 with N = 1 + X + Y ≤ 8.
 * @param even half-even ties also where AFPQ's code has a rule of its own
 */
export function makeFloatEntries(
  exponentBits: number,
  fractionBits: number,
  even = false,
): FormatEntry[] {
  const bits = 1 + exponentBits + fractionBits;
  const shape = `e${exponentBits}m${fractionBits}`;
  const afpqTies = AFPQ_TIES.includes(shape) && !even;
  const short = shape === 'e2m1' || shape === 'e2m0';
  return withAndWithoutSigns({
    name: `fp${bits}-${shape}${even ? '-even' : ''}`,
    label: `FP${bits}${short ? '' : ` ${shape.toUpperCase()}`}${even ? ' (ties to even)' : ''}`,
    family: 'Float',
    bits,
    grid: makeMinifloatGrid(exmyFormat(exponentBits, fractionBits, afpqTies ? 'lower' : 'even')),
    levelsName: shape.toUpperCase(),
    source: afpqTies ? AFPQ : 'LLM-FP4, arXiv 2310.16836',
    notes: [WASTED_CODE],
  });
}

/** NF4 or NF3 as AFPQ's quantizers have it: levels rounded to f16, ties to the lower level. */
export function makeNormalFloatEntries(bits: 3 | 4): FormatEntry[] {
  return withAndWithoutSigns({
    name: `nf${bits}`,
    label: `NF${bits}`,
    family: 'NormalFloat',
    bits,
    grid: makeGridWithLowerTies((bits === 4 ? NF4_LEVELS : NF3_LEVELS).map(roundToF16), 1),
    levelsName: 'normal-float levels',
    source: 'QLoRA, arXiv 2305.14314; levels as in AFPQ',
    notes: [],
  });
}

/** NF of the straight-through quantizers: f32 levels, ties to the upper level (section 5.3). */
export function makeStraightThroughEntries(bits: 3 | 4): FormatEntry[] {
  return withAndWithoutSigns({
    name: `nf${bits}-ste`,
    label: `NF${bits} STE`,
    family: 'NormalFloat',
    bits,
    grid: makeGridWithMidpoints(bits === 4 ? NF4_LEVELS : NF3_LEVELS, 1, 'upper'),
    levelsName: 'normal-float levels in f32',
    source: 'AFPQ and BitDistiller code for training',
    notes: ['The original code gives NaN for all-zero groups; here they are zero.'],
  });
}
