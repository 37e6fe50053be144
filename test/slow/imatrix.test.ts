// What an importance matrix does to the sample model, on its whole text (43,350 targets): a minute or two.
import { expect, it } from 'vitest';
import { SAMPLE } from '../support/checkpoints.js';
import { measure } from '../support/perplexity.js';

/** Perplexity and KL divergence without the matrix and with it (64 windows of 256 tokens of calibration.txt). */
const FACTS = [
  { format: 'q2_k', without: 31.3009, with: 30.3546, kl: [0.157, 0.1255] },
  { format: 'q3_k', without: 28.4607, with: 28.2819, kl: [0.0387, 0.0354] },
  { format: 'q4_k', without: 27.7155, with: 27.7381, kl: [0.0081, 0.008] },
  { format: 'q4_0', without: 27.8337, with: 27.7925, kl: [0.0124, 0.0109] },
  { format: 'nf3:g128', without: 29.4628, with: 28.6603, kl: [0.0779, 0.0571] },
  { format: 'nvfp4', without: 27.8496, with: 27.738, kl: [0.0147, 0.0111] },
] as const;

it('an importance matrix brings rounded models closer to the unquantized one', async () => {
  const formats = FACTS.flatMap(({ format }) => [format, `${format}+imatrix`]);
  const { formats: measured } = await measure(SAMPLE, { formats, scaleDtype: 'f16', context: 256 });
  for (const [index, fact] of FACTS.entries()) {
    const [plain, weighted] = [0, 1].map((i) => measured[2 * index + i].perplexity);
    expect.soft(plain.value).toBeCloseTo(fact.without, 3);
    expect.soft(weighted.value).toBeCloseTo(fact.with, 3);
    expect.soft(plain.klDivergence).toBeCloseTo(fact.kl[0], 3);
    expect.soft(weighted.klDivergence).toBeCloseTo(fact.kl[1], 3);
    expect.soft(weighted.klDivergence!).toBeLessThan(plain.klDivergence!);
  }
});
