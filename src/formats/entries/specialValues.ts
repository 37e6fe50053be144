import { roundHalfEven } from '../float32.js';
import { makeGridByRule, makeGridWithMidpoints, makeMinifloatGrid } from '../grid.js';
import type { BlockChoice, FormatEntry, Grid } from '../types.js';

// Four-bit blocks that spend their codes or scales otherwise (sections 4.3 and 4.8): a scale for each sign, other
// levels, special values, a search for the scale.

const { fround } = Math;

const E2M1 = makeMinifloatGrid({ fractionBits: 1, minExponent: 0, largest: 6, ties: 'even' });
const E2M1_AWAY = makeMinifloatGrid({ fractionBits: 1, minExponent: 0, largest: 6, ties: 'away' });
/** The integers −7 … 7: one binade of steps of 1. */
const INT4 = makeMinifloatGrid({ fractionBits: 2, minExponent: 2, largest: 7, ties: 'even' });

const LARGEST_E4M3 = 448;
const SMALLEST_NORMAL_E4M3 = 2 ** -6;

function choice(grid: Grid, other: Partial<BlockChoice> = {}): BlockChoice {
  return { grid, divisor: grid.divisor, expansion: 1, steps: 0, ...other };
}

type Common = Pick<
  FormatEntry,
  'name' | 'label' | 'family' | 'description' | 'source' | 'notes' | 'levelCount'
>;

/** @param rule scales as far as E4M3 goes unless said otherwise */
function choiceEntry(
  common: Common,
  rule: Omit<Extract<FormatEntry['rule'], { kind: 'block-choice' }>, 'kind'>,
): FormatEntry {
  return {
    ...common,
    bits: 4,
    reconstructed: false,
    rule: { kind: 'block-choice', ...rule },
    fixedGroup: { kind: 'columns', size: 16 },
    scalesPerGroup: 0,
    extraBitsPerGroup: 8,
    extraBitsPerTensor: 32,
  };
}

const ALL_SCALES = { leastScale: 0, greatestScale: LARGEST_E4M3 };

const amxfp4: FormatEntry = {
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
  rule: { kind: 'grid', grid: E2M1_AWAY, scaling: 'by-sign-e5m2' },
  levelCount: E2M1_AWAY.levels.length,
  fixedGroup: { kind: 'columns', size: 32 },
  scalesPerGroup: 0,
  extraBitsPerGroup: 16,
};

const fourOverSix = choiceEntry(
  {
    name: 'nvfp4-4over6',
    label: 'NVFP4 4/6',
    family: 'Special values',
    description: 'NVFP4 whose blocks put their largest magnitude on 6 or on 4',
    source: 'Four Over Six, arXiv 2512.02010',
    notes: ['Files are those of NVFP4: the choice shows in the scale alone.'],
    levelCount: E2M1.levels.length,
  },
  {
    choices: [choice(E2M1), choice(E2M1, { expansion: 1.5 })],
    tensorDivisor: 6 * 256,
    ...ALL_SCALES,
  },
);

/** f32 of 7/6, and of its inverse: INT4's levels on the scale of E2M1. */
const TO_INT4 = fround(7 / 6);
const FROM_INT4 = fround(6 / 7);

const INT4_ON_E2M1 = makeGridByRule(
  Array.from({ length: 15 }, (_, i) => fround((i - 7) * FROM_INT4)),
  6,
  (y) => roundHalfEven(Math.min(Math.max(fround(y * TO_INT4), -7), 7)) + 7,
  'halfway goes to the even code',
);

const if4 = choiceEntry(
  {
    name: 'if4',
    label: 'IF4',
    family: 'Special values',
    description: 'blocks of 16 in E2M1 or in INT4, whichever errs less',
    source: 'IF4, arXiv 2603.28765',
    notes: ["The sign bit of a block's scale says which; either has 15 levels."],
    levelCount: 15,
  },
  {
    choices: [choice(E2M1), choice(INT4_ON_E2M1)],
    tensorDivisor: 6 * LARGEST_E4M3,
    ...ALL_SCALES,
  },
);

function razerGrid(special: number): Grid {
  const levels = [...E2M1.levels, special].sort((a, b) => a - b);
  return makeGridWithMidpoints(levels, Math.max(6, Math.abs(special)), 'lower');
}

const razer = choiceEntry(
  {
    name: 'razer',
    label: 'RaZeR',
    family: 'Special values',
    description: 'E2M1 whose code of −0 is 5, −5, 8 or −8, by blocks of 16',
    source: 'RaZeR, arXiv 2501.04052 (its code for weights)',
    notes: [
      'For study: a patent application is noted with its code, and no file is written in it. Two bits beside a scale of six say which value.',
    ],
    levelCount: 16,
  },
  {
    choices: [5, -5, 8, -8].map((special) => choice(razerGrid(special))),
    tensorDivisor: 6 * 28,
    // What E3M3 holds, among the numbers of E4M3.
    leastScale: 2 ** -5,
    greatestScale: 28,
  },
);

const nvint4 = choiceEntry(
  {
    name: 'nvint4',
    label: 'NVINT4',
    family: 'Microscaling',
    description: 'integers −7 … 7, 8-bit float scale per 16, one scale per tensor',
    source: 'NVINT4 as in fouroversix',
    notes: [],
    levelCount: INT4.levels.length,
  },
  { choices: [choice(INT4)], tensorDivisor: 7 * LARGEST_E4M3, ...ALL_SCALES },
);

/** Scales that are tried: the one nearest to the largest magnitude over 6, eight below, four above. */
const SEARCHED = [0, -8, -7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4];

const searched = choiceEntry(
  {
    name: 'nvfp4-search',
    label: 'NVFP4 search',
    family: 'Microscaling',
    description: 'NVFP4 with the scale of each block that errs least',
    source: 'own search, after a proposal to llama.cpp (pull request 25153)',
    notes: [
      'Our definition: squared weight error, 8 scales below and 4 above that of nvfp4. Never worse than nvfp4.',
    ],
    levelCount: E2M1.levels.length,
  },
  {
    choices: SEARCHED.map((steps) => choice(E2M1, { steps })),
    tensorDivisor: 6 * LARGEST_E4M3,
    leastScale: SMALLEST_NORMAL_E4M3,
    greatestScale: LARGEST_E4M3,
  },
);

export const SPECIAL_VALUE_ENTRIES: readonly FormatEntry[] = [amxfp4, fourOverSix, if4, razer];
/** NVFP4's own kin. */
export const NVFP4_VARIANTS: readonly FormatEntry[] = [searched, nvint4];
