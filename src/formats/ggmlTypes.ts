import type { GgmlTypeName } from './types.js';

/** One of GGUF's block formats. */
export interface GgmlType {
  readonly name: GgmlTypeName;
  /** Weights per block. */
  readonly blockSize: number;
  /** Bytes per packed block: codes, scales and minima. */
  readonly blockBytes: number;
}

function ggmlType(name: GgmlTypeName, blockSize: number, blockBytes: number): GgmlType {
  return { name, blockSize, blockBytes };
}

/** GGUF's block formats. */
export const GGML_TYPES: Readonly<Record<GgmlTypeName, GgmlType>> = {
  q4_0: ggmlType('q4_0', 32, 18),
  q4_1: ggmlType('q4_1', 32, 20),
  q5_0: ggmlType('q5_0', 32, 22),
  q5_1: ggmlType('q5_1', 32, 24),
  q8_0: ggmlType('q8_0', 32, 34),
  iq4_nl: ggmlType('iq4_nl', 32, 18),
  q2_k: ggmlType('q2_k', 256, 84),
  q3_k: ggmlType('q3_k', 256, 110),
  q4_k: ggmlType('q4_k', 256, 144),
  q5_k: ggmlType('q5_k', 256, 176),
  q6_k: ggmlType('q6_k', 256, 210),
  iq4_xs: ggmlType('iq4_xs', 256, 136),
  mxfp4: ggmlType('mxfp4', 32, 17),
  nvfp4: ggmlType('nvfp4', 64, 36),
  tq1_0: ggmlType('tq1_0', 256, 54),
  tq2_0: ggmlType('tq2_0', 256, 66),
  q1_0: ggmlType('q1_0', 128, 18),
  q2_0: ggmlType('q2_0', 64, 18),
};
