import type { GgmlTypeName } from '../../formats/types.js';

const SEARCHED =
  'its searches add up in f32 from weight to weight, each sum waiting for the one before, which would leave a thread to each block';

/** GGUF types that are not computed on a GPU, and why. */
export const CPU_FORMATS: Readonly<Partial<Record<GgmlTypeName, string>>> = Object.freeze({
  q2_k: SEARCHED,
  q3_k: SEARCHED,
  q4_k: SEARCHED,
  q5_k: SEARCHED,
  q6_k: SEARCHED,
  iq4_nl: SEARCHED,
  iq4_xs: SEARCHED,
});
