import type { FormatEntry } from '../types.js';

const GPTQ = 'GPTQ, arXiv 2210.17323 (quantizer of its code)';
const AWQ = 'AWQ, arXiv 2306.00978 (llm-awq and AutoAWQ code)';

interface Variant {
  readonly suffix: string;
  readonly label: string;
  readonly description: string;
  readonly source: string;
  readonly zeroPoint: boolean;
  readonly rule: Omit<Extract<FormatEntry['rule'], { kind: 'integer' }>, 'kind' | 'bits'>;
}

const VARIANTS: readonly Variant[] = [
  {
    suffix: 'asym',
    label: '',
    description: 'integer, scale and zero point',
    source: GPTQ,
    zeroPoint: true,
    rule: { convention: 'gptq-asym', ties: 'even' },
  },
  {
    suffix: 'sym',
    label: ' sym',
    description: 'integer, one scale, no zero point',
    source: GPTQ,
    zeroPoint: false,
    rule: { convention: 'gptq-sym', ties: 'even' },
  },
  {
    suffix: 'awq',
    label: ' AWQ',
    description: 'integer, range without zero (AWQ, no scale search)',
    source: AWQ,
    zeroPoint: true,
    rule: { convention: 'awq', ties: 'even' },
  },
  {
    suffix: 'absmax',
    label: ' absmax',
    description: 'integer, largest magnitude onto the highest code',
    source: AWQ,
    zeroPoint: false,
    rule: { convention: 'absmax', ties: 'even' },
  },
];

/** BitDistiller's straight-through quantizer: AWQ's, but halfway goes away from zero (section 2). */
const AWAY: Variant = {
  suffix: 'awq-away',
  label: ' AWQ (ties away)',
  description: 'integer, range without zero, ties away from zero',
  source: 'BitDistiller, arXiv 2402.10631 (its code)',
  zeroPoint: true,
  rule: { convention: 'awq', ties: 'away' },
};

function entry(bits: number, variant: Variant): FormatEntry {
  return {
    name: `int${bits}-${variant.suffix}`,
    label: `INT${bits}${variant.label}`,
    family: 'Integer',
    bits,
    description: variant.description,
    source: variant.source,
    reconstructed: false,
    notes: [],
    rule: { kind: 'integer', bits, ...variant.rule },
    levelCount: 2 ** bits,
    scalesPerGroup: 1,
    extraBitsPerGroup: variant.zeroPoint ? bits : 0,
  };
}

function denormal(bits: number, symmetric: boolean): FormatEntry {
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
        ? 'Own definition: no symmetric variant could be confirmed in the paper.'
        : 'Definition reconstructed from fragments of the paper; there is no public code.',
    ],
    rule: { kind: 'denormal-integer', bits, symmetric, special: 0.5 },
    levelCount: 2 ** bits,
    scalesPerGroup: 1,
    extraBitsPerGroup: symmetric ? 0 : bits,
  };
}

/** Integers of one width, in menu order. */
export function makeIntegerEntries(bits: number): FormatEntry[] {
  return VARIANTS.map((variant) => entry(bits, variant));
}

/** dINT of one width; the paper has 4 and 3 bits. */
export function makeDenormalEntries(bits: number): FormatEntry[] {
  return [denormal(bits, false), denormal(bits, true)];
}

/** Entries that are understood but not listed. */
export const UNLISTED_INTEGERS: readonly FormatEntry[] = [2, 3, 4].map((bits) => entry(bits, AWAY));
