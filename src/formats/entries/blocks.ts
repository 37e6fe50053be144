import { GGML_TYPES } from '../ggmlTypes.js';
import { makeGridWithMidpoints, makeMinifloatGrid } from '../grid.js';
import type { FormatEntry, GgmlTypeName, Grid, GridScaling, Minifloat, Rule } from '../types.js';
import { NF4_LEVELS } from './floats.js';

const OCP = 'OCP Microscaling Formats (MX) v1.0';

interface Element {
  readonly name: string;
  readonly label: string;
  readonly bits: number;
  readonly format: Omit<Minifloat, 'ties'>;
}

/** Element types of OCP MX with their true values (section 4.3). */
const MX_ELEMENTS: readonly Element[] = [
  {
    name: 'mxfp4',
    label: 'MXFP4',
    bits: 4,
    format: { fractionBits: 1, minExponent: 0, largest: 6 },
  },
  {
    name: 'mxfp6-e2m3',
    label: 'MXFP6 E2M3',
    bits: 6,
    format: { fractionBits: 3, minExponent: 0, largest: 7.5 },
  },
  {
    name: 'mxfp6-e3m2',
    label: 'MXFP6 E3M2',
    bits: 6,
    format: { fractionBits: 2, minExponent: -2, largest: 28 },
  },
  {
    name: 'mxfp8-e4m3',
    label: 'MXFP8 E4M3',
    bits: 8,
    format: { fractionBits: 3, minExponent: -6, largest: 448 },
  },
  {
    name: 'mxfp8-e5m2',
    label: 'MXFP8 E5M2',
    bits: 8,
    format: { fractionBits: 2, minExponent: -14, largest: 57344 },
  },
  {
    name: 'mxint8',
    label: 'MXINT8',
    bits: 8,
    // One binade of steps of 1/64: the integers −127 … 127 over 64.
    format: { fractionBits: 6, minExponent: 0, largest: 127 / 64 },
  },
];

const SATURATION =
  'The largest weight of a block may lie beyond the largest element value and then loses up to a quarter.';

function mxEntry({ name, label, bits, format }: Element, ties: 'even' | 'away'): FormatEntry {
  const grid = makeMinifloatGrid({ ...format, ties });
  return {
    name: ties === 'away' ? `${name}-away` : name,
    label: ties === 'away' ? `${label} (ties away)` : label,
    family: 'Microscaling',
    bits,
    description: `OCP microscaling, power-of-two scale per 32${ties === 'away' ? ', ties away from zero' : ''}`,
    source: ties === 'away' ? 'microxcaling (its default rounding)' : OCP,
    reconstructed: false,
    notes: [SATURATION],
    rule: { kind: 'grid', grid, scaling: 'power-of-two' },
    levelCount: grid.levels.length,
    fixedGroup: { kind: 'columns', size: 32 },
    scalesPerGroup: 0,
    extraBitsPerGroup: 8,
  };
}

interface ScaleRule {
  readonly suffix: string;
  readonly scaling: GridScaling;
  readonly what: string;
  readonly source: string;
  readonly note: string;
}

/** Other rules by which writers find MXFP4's scales: the same weights become other files (section 4.3). */
const MXFP4_SCALE_RULES: readonly ScaleRule[] = [
  {
    suffix: 'ceil',
    scaling: 'power-of-two-ceil',
    what: 'power-of-two scale per 32, rounded up',
    source: 'MXFP4 as in fouroversix',
    note: 'No weight lies beyond the largest element value; small ones get the coarser step for it.',
  },
  {
    suffix: 'round',
    scaling: 'power-of-two-round',
    what: 'power-of-two scale per 32, up from a fraction of 1.75',
    source: 'MXFP4 as in compressed-tensors',
    note: 'The largest weight of a block may lie beyond the largest element value and then loses up to a seventh.',
  },
];

function mxfp4Entry({ suffix, scaling, what, source, note }: ScaleRule): FormatEntry {
  const mxfp4 = mxEntry(MX_ELEMENTS[0], 'even');
  return {
    ...mxfp4,
    name: `${mxfp4.name}-${suffix}`,
    label: `${mxfp4.label} ${suffix}`,
    description: `E2M1, ${what}`,
    source,
    notes: [note],
    rule: { ...(mxfp4.rule as Extract<Rule, { kind: 'grid' }>), scaling },
  };
}

function nvfp4Entry(twoLevel: boolean): FormatEntry {
  const grid = makeMinifloatGrid({ fractionBits: 1, minExponent: 0, largest: 6, ties: 'even' });
  return {
    name: twoLevel ? 'nvfp4' : 'nvfp4-onelevel',
    label: twoLevel ? 'NVFP4' : 'NVFP4 one level',
    family: 'Microscaling',
    bits: 4,
    description: `E2M1, 8-bit float scale per 16${twoLevel ? ', one scale per tensor' : ''}`,
    source: 'NVFP4 as in torchao',
    reconstructed: false,
    notes: [],
    rule: { kind: 'grid', grid, scaling: twoLevel ? 'e4m3-two-level' : 'e4m3' },
    levelCount: grid.levels.length,
    fixedGroup: { kind: 'columns', size: 16 },
    scalesPerGroup: 0,
    extraBitsPerGroup: 8,
    extraBitsPerTensor: twoLevel ? 32 : 0,
  };
}

/** bitsandbytes' FP4 values; not E2M1: the smallest is 1/192 of the largest (section 4.5). */
const BNB_FP4 = [0.0625, 2, 3, 4, 6, 8, 12].map((value) => value / 12);

function bitsandbytesEntry(name: string, label: string, grid: Grid, levels: string): FormatEntry {
  return {
    name,
    label,
    family: 'bitsandbytes',
    bits: 4,
    description: `${levels}, F32 absmax per 64 weights of the flattened tensor`,
    source: 'QLoRA, arXiv 2305.14314 (bitsandbytes code)',
    reconstructed: false,
    notes: ['Counted without double quantization, which would save 0.373 bits per weight.'],
    rule: { kind: 'grid', grid, scaling: 'absmax-reciprocal' },
    levelCount: grid.levels.length,
    fixedGroup: { kind: 'blocks', size: 64 },
    groupIsDefault: true,
    scalesPerGroup: 0,
    extraBitsPerGroup: 32,
  };
}

interface GgmlRow {
  readonly type: GgmlTypeName;
  readonly bits: number;
  /** What blocks hold. */
  readonly what: string;
  /** Where codes of so many bits do not stand for as many levels. */
  readonly levels?: number;
  /** Where other formats have the type's name already. */
  readonly name?: string;
  readonly note?: string;
}

const FOR_TERNARY =
  'Made for weights that were trained to be −s, 0 and s (BitNet b1.58); others lose most of what they say.';
const FOR_BINARY =
  'Made for weights that were trained to be −s and s; others lose most of what they say.';

/** GGUF's types. */
const GGML: readonly GgmlRow[] = [
  { type: 'q4_0', bits: 4, what: '16 levels, one scale per 32' },
  { type: 'q4_1', bits: 4, what: '16 levels, scale and minimum per 32' },
  { type: 'q5_0', bits: 5, what: '32 levels, one scale per 32' },
  { type: 'q5_1', bits: 5, what: '32 levels, scale and minimum per 32' },
  { type: 'q8_0', bits: 8, what: '256 levels, one scale per 32' },
  { type: 'iq4_nl', bits: 4, what: '16 uneven levels, one scale per 32' },
  { type: 'q2_k', bits: 2, what: 'super-blocks of 256, scales and minima per 16' },
  { type: 'q3_k', bits: 3, what: 'super-blocks of 256, scales per 16' },
  { type: 'q4_k', bits: 4, what: 'super-blocks of 256, scales and minima per 32' },
  { type: 'q5_k', bits: 5, what: 'super-blocks of 256, scales and minima per 32' },
  { type: 'q6_k', bits: 6, what: 'super-blocks of 256, scales per 16' },
  { type: 'iq4_xs', bits: 4, what: 'super-blocks of 256, 16 uneven levels, scales per 32' },
  {
    type: 'mxfp4',
    name: 'mxfp4-gguf',
    bits: 4,
    levels: 15,
    what: 'E2M1, power-of-two scale per 32',
    note: "The scale is that of mxfp4; a weight halfway between two levels gets the one that comes first in ggml's table.",
  },
  {
    type: 'nvfp4',
    name: 'nvfp4-gguf',
    bits: 4,
    levels: 15,
    what: 'E2M1, 8-bit float scale per 16, blocks of 64',
    note: "As ggml's code quantizes: without the scale of the tensor that converted files have, so that scales of ordinary weights are among the few smallest ones of their type.",
  },
  {
    type: 'tq2_0',
    bits: 2,
    levels: 3,
    what: '−1, 0, 1 times one scale per 256',
    note: FOR_TERNARY,
  },
  {
    type: 'tq1_0',
    bits: 1.625,
    levels: 3,
    what: '−1, 0, 1 times one scale per 256, packed by threes',
    note: FOR_TERNARY,
  },
  {
    type: 'q2_0',
    bits: 2,
    what: '−1, 0, 1, 2 times one scale per 64',
    note: `${FOR_TERNARY} Its highest level is never used: the largest magnitude is the scale.`,
  },
  { type: 'q1_0', bits: 1, what: 'signs times one scale per 128', note: FOR_BINARY },
];

function ggmlEntry({ type, bits, what, levels, name = type, note }: GgmlRow): FormatEntry {
  const { blockSize, blockBytes } = GGML_TYPES[type];
  return {
    name,
    label: name === type ? type.toUpperCase() : `${type.toUpperCase()} GGUF`,
    family: 'GGUF',
    bits,
    description: `GGUF ${what}`,
    source: 'ggml, without importance matrix',
    reconstructed: false,
    notes: note === undefined ? [] : [note],
    rule: { kind: 'ggml', type },
    levelCount: levels ?? 2 ** bits,
    fixedGroup: { kind: 'columns', size: blockSize },
    scalesPerGroup: 0,
    extraBitsPerGroup: blockBytes * 8 - bits * blockSize,
  };
}

export const MX_ENTRIES = [
  mxEntry(MX_ELEMENTS[0], 'even'),
  ...MXFP4_SCALE_RULES.map(mxfp4Entry),
  ...MX_ELEMENTS.slice(1).map((element) => mxEntry(element, 'even')),
];
export const NVFP4_ENTRIES = [nvfp4Entry(true)];
export const BITSANDBYTES_ENTRIES = [
  bitsandbytesEntry('bnb-nf4', 'bnb NF4', makeGridWithMidpoints(NF4_LEVELS, 1, 'lower'), 'NF4'),
  bitsandbytesEntry(
    'bnb-fp4',
    'bnb FP4',
    makeGridWithMidpoints([...BNB_FP4.map((v) => -v).reverse(), 0, ...BNB_FP4], 1, 'lower'),
    'its own FP4',
  ),
];
export const GGML_ENTRIES = GGML.map(ggmlEntry);

/** Entries that are understood but not listed. */
export const UNLISTED_BLOCKS: readonly FormatEntry[] = [
  ...MX_ELEMENTS.map((element) => mxEntry(element, 'away')),
  nvfp4Entry(false),
];
