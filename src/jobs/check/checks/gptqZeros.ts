import { unpackDense } from '../../../layouts/loops.js';
import type { Check, CheckedWeight, CheckSubject } from '../check.js';

/** How often each stored zero point occurs, by its bits. */
async function countZeros(
  { read }: CheckSubject,
  { parts, parameters, tensor }: CheckedWeight,
): Promise<number[] | undefined> {
  const zeros = parts.get('zeros');
  if (!zeros) return undefined;
  const bits = Number(parameters.bits);
  const [outputs] = tensor.shape;
  const [groups, words] = zeros.shape;
  const counts = new Array<number>(2 ** bits).fill(0);
  const row = new Uint8Array(outputs);
  for (let group = 0; group < groups; group++) {
    const bytes = await read(zeros, group * words * 4, words * 4);
    const packed = new Uint32Array(bytes.buffer, bytes.byteOffset, words);
    unpackDense(packed, bits, row, { count: outputs });
    for (const zero of row) counts[zero]++;
  }
  return counts;
}

function gptqWeights({ weights }: CheckSubject): CheckedWeight[] {
  return weights.filter(({ layout }) => layout === 'gptq');
}

/** Whole codes of symmetric quantization have one zero point, from which the version can be told. */
const zerosAgainstVersion: Check = {
  id: 'gptq-zeros-version',
  source: 'https://github.com/vllm-project/vllm/pull/38966',
  async *find(subject) {
    for (const weight of gptqWeights(subject)) {
      const counts = await countZeros(subject, weight);
      const values = counts?.flatMap((count, value) => (count > 0 ? [value] : [])) ?? [];
      if (values.length !== 1) continue;
      const middle = 2 ** (Number(weight.parameters.bits) - 1);
      const said = weight.parameters.zeroOffset === 1 ? 1 : 2;
      const stored = values[0] === middle - 1 ? 1 : values[0] === middle ? 2 : said;
      if (stored === said) continue;
      const { file, name } = weight.parts.get('zeros')!;
      const formats = ['gptq', 'gptq_v2'];
      yield {
        ...{ severity: 'error', file, tensor: name },
        message: `all zero points are stored as ${values[0]}, which is version ${stored} (checkpoint_format "${formats[stored - 1]}"), but the configuration says or defaults to "${formats[said - 1]}": loaders that believe it shift every weight by one step`,
      };
    }
  },
};

/** Version 1 stores zero points less one, so that 0 wraps around to the largest code. */
const wrappedZero: Check = {
  id: 'gptq-zero-point-wraps',
  source: 'https://github.com/AutoGPTQ/AutoGPTQ/pull/640',
  async *find(subject) {
    for (const weight of gptqWeights(subject)) {
      if (weight.parameters.zeroOffset !== 1) continue;
      const counts = await countZeros(subject, weight);
      const largest = 2 ** Number(weight.parameters.bits) - 1;
      const wrapped = counts?.[largest] ?? 0;
      if (wrapped === 0) continue;
      const { file, name } = weight.parts.get('zeros')!;
      yield {
        ...{ severity: 'warning', file, tensor: name },
        message: `${wrapped} zero points are stored as ${largest}: version 1 cannot hold the zero point 0, and loaders read them as ${largest + 1} or as 0`,
      };
    }
  },
};

export const gptqZeroChecks: readonly Check[] = [zerosAgainstVersion, wrappedZero];
