import { section, wholeNumber } from '../../../layouts/entries/shared.js';
import type { QuantizationConfig } from '../../../layouts/layout.js';
import type { Check } from '../check.js';

/** Groups that inputs are said to belong to must have scales. */
const groupIndices: Check = {
  id: 'group-index-out-of-range',
  source: 'https://github.com/ModelCloud/GPTQModel/issues/2949',
  *find({ weights }) {
    for (const { parts, layout } of weights) {
      const index = parts.get('groupIndex');
      if (!index?.examined) continue;
      const shape = parts.get('scales')?.shape ?? [];
      const groups = layout === 'gptq' ? shape[0] : shape[1];
      const { min, max } = index.examined;
      if (min >= 0 && max < groups) continue;
      yield {
        ...{ severity: 'error', file: index.file, tensor: index.name },
        message: `it names groups from ${min} to ${max}, but there are scales for ${groups} (0 to ${groups - 1})`,
      };
    }
  },
};

/** The widest codes that a configuration of compressed-tensors has. */
function configuredBits(quantization: QuantizationConfig): number | undefined {
  const groups = section(quantization, 'config_groups');
  const widths = Object.keys(groups).map((name) =>
    wholeNumber(section(section(groups, name), 'weights'), 'num_bits'),
  );
  return widths.length > 0 && widths.every((bits) => bits !== undefined)
    ? Math.max(...widths)
    : undefined;
}

/** Codes of fewer bits than the bytes that hold them. */
const byteCodes: Check = {
  id: 'codes-out-of-range',
  source: 'https://github.com/vllm-project/compressed-tensors/pull/854',
  *find({ weights, quantization }) {
    const bits = configuredBits(quantization);
    if (bits === undefined || bits < 2 || bits > 7) return;
    const [low, high] = [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
    for (const { parts } of weights) {
      const codes = parts.get('codes');
      if (codes?.dtype !== 'I8' || !codes.examined) continue;
      const { min, max } = codes.examined;
      if (min >= low && max <= high) continue;
      yield {
        ...{ severity: 'error', file: codes.file, tensor: codes.name },
        message: `codes reach from ${min} to ${max}, but the configuration says ${bits} bits (${low} to ${high})`,
      };
    }
  },
};

export const codeRangeChecks: readonly Check[] = [groupIndices, byteCodes];
