import { roundToF16 } from './float32.js';
import { gridWithLowerTies } from './grid.js';
import type { FormatEntry, Grid } from './types.js';

/** E2M1 as AFPQ lists it (section 4.1); the two zeros of its table are one level. */
const FP4_E2M1 = [-6, -4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 6];
/** AFPQ's FP3 (section 4.1). */
const FP3_E2M0 = [-4, -2, -1, 0, 1, 2, 4];
/** NormalFloat tables (section 4.1); AFPQ keeps them in f16, so the rounded values are the levels. */
const NF4 = [
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
  -0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725,
  0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
  0.7229568362236023, 1,
].map(roundToF16);
const NF3 = [
  -1, -0.5350227355957031, -0.246931403875351, 0, 0.1833375245332718, 0.3819939494132996,
  0.6229856610298157, 1,
].map(roundToF16);

const AFPQ_SOURCE = 'AFPQ, arXiv 2311.01792';
const LEAK_NOTE =
  'The original code leaves a whole column block unquantized where one group has no positive weight; here every group is quantized.';

function integer(bits: number, symmetric: boolean): FormatEntry {
  return {
    name: `int${bits}-${symmetric ? 'sym' : 'asym'}`,
    label: `INT${bits}${symmetric ? ' sym' : ''}`,
    family: 'Integer',
    bits,
    description: symmetric ? 'integer, one scale, no zero point' : 'integer, scale and zero point',
    source: 'GPTQ, arXiv 2210.17323 (quantizer of its code)',
    reconstructed: false,
    notes: [],
    rule: { kind: 'integer', bits, symmetric },
    levelCount: 2 ** bits,
    scalesPerGroup: 1,
    extraBitsPerGroup: symmetric ? 0 : bits,
  };
}

function gridFormat(
  name: string,
  label: string,
  bits: number,
  grid: Grid,
  twoScales: boolean,
  levelsName: string,
): FormatEntry {
  return {
    name,
    label,
    family: twoScales ? 'AFPQ' : name.startsWith('nf') ? 'NormalFloat' : 'Float',
    bits,
    description: `${levelsName}, ${twoScales ? 'own scale for + and − (AFPQ)' : 'one scale'}`,
    source: AFPQ_SOURCE,
    reconstructed: false,
    notes: twoScales ? [LEAK_NOTE] : [],
    rule: { kind: 'grid', grid, twoScales },
    levelCount: grid.levels.length,
    scalesPerGroup: twoScales ? 2 : 1,
    extraBitsPerGroup: 0,
  };
}

/** The same levels with one scale and with two (AFPQ). */
function gridPair(
  name: string,
  label: string,
  bits: number,
  grid: Grid,
  levelsName: string,
): FormatEntry[] {
  return [
    gridFormat(name, label, bits, grid, false, levelsName),
    gridFormat(`a${name}`, `A${label}`, bits, grid, true, levelsName),
  ];
}

function denormalInteger(bits: number, symmetric: boolean): FormatEntry {
  return {
    name: `dint${bits}${symmetric ? '-sym' : ''}`,
    label: `dINT${bits}${symmetric ? ' sym' : ''}`,
    family: 'dINT',
    bits,
    description: `integer with ±½ step (reconstructed)${symmetric ? ', no zero point' : ''}`,
    source: 'dINT, arXiv 2311.05161',
    reconstructed: true,
    notes: [
      symmetric
        ? 'Own definition: the paper has no symmetric variant that could be confirmed.'
        : 'Definition reconstructed from fragments of the paper; there is no public code.',
    ],
    rule: { kind: 'denormal-integer', bits, symmetric, special: 0.5 },
    levelCount: 2 ** bits,
    scalesPerGroup: 1,
    extraBitsPerGroup: symmetric ? 0 : bits,
  };
}

const BITS = [4, 3, 2, 5, 6, 7, 8];

/** Every listed format, in the order of menus: four bits first, then fewer, then more. */
export const FORMAT_CATALOGUE: readonly FormatEntry[] = Object.freeze(
  [
    ...BITS.flatMap((bits) => [integer(bits, false), integer(bits, true)]),
    ...gridPair('fp4-e2m1', 'FP4', 4, gridWithLowerTies(FP4_E2M1, 6), 'E2M1'),
    ...gridPair('fp3-e2m0', 'FP3', 3, gridWithLowerTies(FP3_E2M0, 4), 'E2M0'),
    ...gridPair('nf4', 'NF4', 4, gridWithLowerTies(NF4, 1), 'normal-float levels'),
    ...gridPair('nf3', 'NF3', 3, gridWithLowerTies(NF3, 1), 'normal-float levels'),
    denormalInteger(4, false),
    denormalInteger(3, false),
    denormalInteger(4, true),
    denormalInteger(3, true),
  ].map((entry) => Object.freeze(entry)),
);

/** Other spellings of listed formats. */
export const FORMAT_ALIASES: Readonly<Record<string, string>> = Object.freeze({
  ...Object.fromEntries(BITS.map((bits) => [`int${bits}`, `int${bits}-asym`])),
  fp4: 'fp4-e2m1',
  fp3: 'fp3-e2m0',
  afp4: 'afp4-e2m1',
  afp3: 'afp3-e2m0',
});
