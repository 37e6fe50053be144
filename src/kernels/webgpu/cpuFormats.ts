const SEARCHED =
  'its searches add up in f32 from weight to weight, each sum waiting for the one before, which would leave a thread to each block';

const NO_SHADER = 'no shader has been written for its blocks';

/** Formats of the catalogue that are not computed on a GPU, and why. */
export const CPU_FORMATS: Readonly<Record<string, string>> = Object.freeze({
  q2_k: SEARCHED,
  q3_k: SEARCHED,
  q4_k: SEARCHED,
  q5_k: SEARCHED,
  q6_k: SEARCHED,
  iq4_nl: SEARCHED,
  iq4_xs: SEARCHED,
  'mxfp4-gguf': NO_SHADER,
  'nvfp4-gguf': NO_SHADER,
  tq1_0: NO_SHADER,
  tq2_0: NO_SHADER,
  q1_0: NO_SHADER,
  q2_0: NO_SHADER,
  'nvfp4-4over6': NO_SHADER,
  'nvfp4-search': NO_SHADER,
  nvint4: NO_SHADER,
  if4: NO_SHADER,
  razer: NO_SHADER,
});
