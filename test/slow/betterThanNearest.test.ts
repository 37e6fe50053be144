// Methods for weights and activations of few bits against rounding to nearest with the same numbers, on the sample's
// whole text: by more than two standard errors of the difference, paired window by window.
import { describe, expect, it } from 'vitest';
import { SAMPLE } from '../support/checkpoints.js';
import { pairSchemes } from '../support/pairedSchemes.js';

describe('better than rounding to nearest', () => {
  it.each([
    ['fp4-e2m1:row+llm-fp4/fp4-static', 'fp4-e2m1-even:row/fp4-static'],
    ['fp4-e2m1:row+llm-fp4/fp4-shifted', 'fp4-e2m1-even:row/fp4-shifted'],
    ['fp4-e2m1:row+llm-fp4/fp8-static', 'fp4-e2m1-even:row/fp8-static'],
    ['fp4-e2m1:row+llm-fp4/fp8-shifted', 'fp4-e2m1-even:row/fp8-shifted'],
  ])('%s', { timeout: 1_200_000 }, async (scheme, nearest) => {
    const settings = { context: 256, calibration: { windows: 64, context: 256 } };
    const scores = await pairSchemes(SAMPLE, [nearest, scheme], settings);
    const [before, after] = [nearest, scheme].map((name) => scores.get(name)!);
    const { delta, error } = after.against(nearest);
    const text = ({ value, klDivergence }: typeof after.perplexity) =>
      `${value.toFixed(4)} (KL ${klDivergence!.toFixed(5)})`;
    console.info(
      `${scheme}: ${text(after.perplexity)} against ${text(before.perplexity)}; ${delta.toFixed(4)} ± ${error.toFixed(4)}`,
    );
    expect(after.perplexity.klDivergence).toBeLessThan(before.perplexity.klDivergence!);
    expect(delta).toBeLessThan(-2 * error);
  });
});
