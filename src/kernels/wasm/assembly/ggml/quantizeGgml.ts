import { quantizeIQ4_NL, quantizeIQ4_XS } from './iq4';
import { quantizeQ2_K, quantizeQ3_K, quantizeQ4_K, quantizeQ5_K, quantizeQ6_K } from './kQuants';
import { quantizeQ4_0, quantizeQ4_1, quantizeQ5_0, quantizeQ5_1, quantizeQ8_0 } from './simpleBlocks';

/**
 * Quantizes consecutive blocks of finite weights. Reference: quantizeGgmlBlock,
 * dequantizeGgmlBlock and ggmlStepErrors in kernels/reference/ggml.
 * @param type place of the type in GGML_TYPES
 * @param x f32 weights; @param y receives their dequantized values; @param u their step errors
 * @param packed receives the packed blocks, or 0
 * @param scratch 6144 bytes, 16-byte aligned
 * @returns how many weights are clipped
 */
export function quantizeGgml(
  type: i32, x: usize, y: usize, u: usize, blocks: i32, packed: usize, scratch: usize,
): i32 {
  if (blocks <= 0) return 0;
  switch (type) {
    case 0: return quantizeQ4_0(x, y, u, blocks, packed);
    case 1: return quantizeQ4_1(x, y, u, blocks, packed);
    case 2: return quantizeQ5_0(x, y, u, blocks, packed);
    case 3: return quantizeQ5_1(x, y, u, blocks, packed);
    case 4: return quantizeQ8_0(x, y, u, blocks, packed);
    case 5: return quantizeIQ4_NL(x, y, u, blocks, packed, scratch);
    case 6: return quantizeQ2_K(x, y, u, blocks, packed, scratch);
    case 7: return quantizeQ3_K(x, y, u, blocks, packed, scratch);
    case 8: return quantizeQ4_K(x, y, u, blocks, packed, scratch);
    case 9: return quantizeQ5_K(x, y, u, blocks, packed, scratch);
    case 10: return quantizeQ6_K(x, y, u, blocks, packed, scratch);
    default: return quantizeIQ4_XS(x, y, u, blocks, packed, scratch);
  }
}
