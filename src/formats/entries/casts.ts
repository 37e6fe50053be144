import type { FormatEntry, ScaleDtype } from '../types.js';

const CASTS: readonly [ScaleDtype, bits: number, label: string, source: string][] = [
  ['f32', 32, 'F32', 'IEEE 754 binary32'],
  ['f16', 16, 'F16', 'IEEE 754 binary16'],
  ['bf16', 16, 'BF16', 'bfloat16'],
];

function describeCast(dtype: ScaleDtype): string {
  if (dtype === 'f32') return 'no quantization';
  const cast = 'plain cast, nearest, ties to even';
  return dtype === 'f16' ? `${cast}; beyond ±65,504 the largest value` : cast;
}

/** Plain casts: no groups, no scales. */
export const CAST_ENTRIES: readonly FormatEntry[] = CASTS.map(([dtype, bits, label, source]) => ({
  name: dtype,
  label,
  family: 'Cast',
  bits,
  description: describeCast(dtype),
  source,
  reconstructed: false,
  notes: [],
  rule: { kind: 'cast', dtype },
  levelCount: 2 ** bits,
  fixedGroup: { kind: 'tensor' },
  scalesPerGroup: 0,
  extraBitsPerGroup: 0,
}));
