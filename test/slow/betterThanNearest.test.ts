// Methods for weights and activations of few bits against rounding to nearest with the same numbers, on the sample's
// whole text: by more than two standard errors of the difference, paired window by window.
import { describe, expect, it } from 'vitest';
import { SAMPLE } from '../support/checkpoints.js';
import { pairSchemes } from '../support/pairedSchemes.js';

/** Scores a method and rounding to nearest, and prints both. */
async function compare(scheme: string, nearest: string) {
  const settings = { context: 256, calibration: { windows: 64, context: 256 } };
  const scores = await pairSchemes(SAMPLE, [nearest, scheme], settings);
  const [before, after] = [nearest, scheme].map((name) => scores.get(name)!);
  const perplexity = after.against(nearest);
  const divergence = after.divergenceAgainst(nearest);
  const text = ({ value, klDivergence }: typeof after.perplexity) =>
    `${value.toFixed(4)} (KL ${klDivergence!.toFixed(5)})`;
  const [byPerplexity, byDivergence] = [perplexity, divergence].map(
    ({ delta, error }) => `${delta.toFixed(5)} ± ${error.toFixed(5)}`,
  );
  console.info(
    `${scheme}: ${text(after.perplexity)} against ${text(before.perplexity)}; ${byPerplexity}, KL ${byDivergence}`,
  );
  return { perplexity, divergence };
}

describe('better than rounding to nearest by perplexity and KL divergence', () => {
  it.each([
    ['fp4-e2m1:row+llm-fp4/fp4-static', 'fp4-e2m1-even:row/fp4-static'],
    ['fp4-e2m1:row+llm-fp4/fp4-shifted', 'fp4-e2m1-even:row/fp4-shifted'],
    ['int4:row+mergequant/int4-static', 'int4:row/int4-static'],
    ['int2-asym:g64+gwq', 'int2-asym:g64'],
    ['int3-asym:g64+gwq', 'int3-asym:g64'],
    ['int3-asym:g64+hqq', 'int3-asym:g64'],
    ['int4:row+aweq/int8-static', 'int4:row/int8-static'],
    // As many bits for a place and its share of the codebook as for codes and scales, or fewer.
    ['vptq-v4-k256', 'int2-asym:g64'],
  ])('%s', { timeout: 1_200_000 }, async (scheme, nearest) => {
    const { perplexity, divergence } = await compare(scheme, nearest);
    expect(perplexity.delta).toBeLessThan(-2 * perplexity.error);
    expect(divergence.delta).toBeLessThan(-2 * divergence.error);
  });
});

describe('better by KL divergence, where perplexities are too near to tell', () => {
  it.each([
    ['fp4-e2m1:row+llm-fp4/fp8-static', 'fp4-e2m1-even:row/fp8-static'],
    ['fp4-e2m1:row+llm-fp4/fp8-shifted', 'fp4-e2m1-even:row/fp8-shifted'],
  ])('%s', { timeout: 1_200_000 }, async (scheme, nearest) => {
    const { divergence } = await compare(scheme, nearest);
    expect(divergence.delta).toBeLessThan(-2 * divergence.error);
  });
});
