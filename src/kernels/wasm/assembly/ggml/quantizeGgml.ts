import {
  IQ4_NL, MXFP4, NVFP4, Q1_0, Q2_0, Q2_K, Q3_K, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0, TQ1_0, TQ2_0,
} from '../config';
import { quantizeMXFP4, quantizeNVFP4 } from './fp4Blocks';
import { quantizeIQ4_NL, quantizeIQ4_XS } from './iq4';
import { quantizeQ2_K, quantizeQ3_K, quantizeQ4_K, quantizeQ5_K, quantizeQ6_K } from './kQuants';
import { quantizeQ4_0, quantizeQ4_1, quantizeQ5_0, quantizeQ5_1, quantizeQ8_0 } from './simpleBlocks';
import { quantizeQ1_0, quantizeQ2_0, quantizeTQ1_0, quantizeTQ2_0 } from './ternary';

/**
 * Quantizes consecutive blocks of finite weights. Reference: quantizeGgmlBlock,
 * dequantizeGgmlBlock and ggmlStepErrors in kernels/reference/ggml.
 * @param type code of the type, see config.ts
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
    case Q4_0: return quantizeQ4_0(x, y, u, blocks, packed);
    case Q4_1: return quantizeQ4_1(x, y, u, blocks, packed);
    case Q5_0: return quantizeQ5_0(x, y, u, blocks, packed);
    case Q5_1: return quantizeQ5_1(x, y, u, blocks, packed);
    case Q8_0: return quantizeQ8_0(x, y, u, blocks, packed);
    case IQ4_NL: return quantizeIQ4_NL(x, y, u, blocks, packed, scratch);
    case Q2_K: return quantizeQ2_K(x, y, u, blocks, packed, scratch);
    case Q3_K: return quantizeQ3_K(x, y, u, blocks, packed, scratch);
    case Q4_K: return quantizeQ4_K(x, y, u, blocks, packed, scratch);
    case Q5_K: return quantizeQ5_K(x, y, u, blocks, packed, scratch);
    case Q6_K: return quantizeQ6_K(x, y, u, blocks, packed, scratch);
    case MXFP4: return quantizeMXFP4(x, y, u, blocks, packed, scratch);
    case NVFP4: return quantizeNVFP4(x, y, u, blocks, packed, scratch);
    case TQ1_0: return quantizeTQ1_0(x, y, u, blocks, packed, scratch);
    case TQ2_0: return quantizeTQ2_0(x, y, u, blocks, packed, scratch);
    case Q1_0: return quantizeQ1_0(x, y, u, blocks, packed);
    case Q2_0: return quantizeQ2_0(x, y, u, blocks, packed, scratch);
    default: return quantizeIQ4_XS(x, y, u, blocks, packed, scratch);
  }
}
