import type { GgmlTypeName, NumberFormat } from '../../formats/types.js';
import { imatrixStep } from '../imatrix/quantizeStep.js';
import type { CalibrationMethod } from '../types.js';

/** Types whose scales ggml finds in the same way with an importance matrix and without one. */
const DISREGARDED: ReadonlySet<GgmlTypeName> = new Set([
  ...(['q8_0', 'mxfp4', 'nvfp4', 'tq1_0', 'tq2_0', 'q1_0', 'q2_0'] as const),
]);

function refuses({ entry, group, search }: NumberFormat): string | undefined {
  const { rule } = entry;
  if (rule.kind === 'cast') return `${entry.name} has no scales that an importance could choose`;
  if (rule.kind === 'ggml' && DISREGARDED.has(rule.type)) {
    return `llama.cpp rounds to ${entry.label} without an importance matrix, also where there is one`;
  }
  if (search !== 'none') return `imatrix searches by itself, "+${search}" cannot be added`;
  if (group.kind === 'tensor') return 'imatrix needs groups of a row or less, not a whole tensor';
  return undefined;
}

/** Errors of weights count by the mean squares of what they multiply (methods 16). */
export const imatrix: CalibrationMethod = {
  name: 'imatrix',
  label: 'imatrix',
  description: 'chooses scales by errors that count by E[x²] of each input, as llama.cpp does',
  source: 'llama.cpp (ggml-quants.c and tools/imatrix)',
  reconstructed: false,
  notes: [
    'GGUF types are rounded as llama.cpp does it with an importance matrix; other formats by a search of ours over the candidates of +mse, on errors that count by it.',
  ],
  options: [],
  defaults: {
    windows: 64,
    context: 256,
    published: 'a text of the user’s choice in chunks of 512 tokens',
    passes: 2,
  },
  refuses,
  quantize: imatrixStep,
};
