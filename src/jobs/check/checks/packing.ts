import type { Check } from '../check.js';

/** Bytes of codes that are looked at. */
const MAX_LOOKED_AT = 4 << 20;

/** Widths that do not divide 32 have been packed in two ways. */
const oddWidths: Check = {
  id: 'packing-of-odd-widths',
  source: 'https://github.com/vllm-project/compressed-tensors/pull/732',
  async *find({ weights, read }) {
    for (const { layout, parameters, parts, tensor } of weights) {
      const bits = Number(parameters.bits);
      const codes = parts.get('codes');
      if (layout !== 'pack-quantized' || !codes || 32 % bits === 0) continue;
      const { file, name } = codes;
      const inputs = tensor.shape[1];
      const perWord = Math.floor(32 / bits);
      const words = codes.shape[1];
      const sameLength = Math.ceil((inputs * bits) / 32) === Math.ceil(inputs / perWord);
      const length = Math.min(codes.shape[0] * words * 4, MAX_LOOKED_AT);
      const bytes = await read(codes, 0, length);
      const packed = new Uint32Array(bytes.buffer, bytes.byteOffset, length / 4);
      const unused = packed.some((word) => word >>> (perWord * bits) !== 0);
      if (sameLength && !unused) {
        yield {
          ...{ severity: 'warning', file, tensor: name },
          message: `${words} words a row may be either packing of ${bits}-bit codes; they are read as codes without gaps (since compressed-tensors 0.18)`,
        };
      } else if (parameters.dense === true || sameLength) {
        yield {
          ...{ severity: 'info', file, tensor: name },
          message: `${bits}-bit codes follow each other without gaps, ${words} words a row (since compressed-tensors 0.18); older loaders decode them wrongly`,
        };
      } else if (unused) {
        yield {
          ...{ severity: 'error', file, tensor: name },
          message: `${words} words a row are the older packing of ${bits}-bit codes, ${perWord} to a word, but bits that it leaves unused are set`,
        };
      } else {
        yield {
          ...{ severity: 'info', file, tensor: name },
          message: `${bits}-bit codes are ${perWord} to a word, ${words} words a row (before compressed-tensors 0.18); newer loaders decode them wrongly`,
        };
      }
    }
  },
};

export const packingChecks: readonly Check[] = [oddWidths];
