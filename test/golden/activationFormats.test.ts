// The sample's first windows with rounded activations. Frozen: our own numbers, of a program that comes to those of the
// original code over the whole text (test/slow/activationFormats.test.ts).
import { expect, it } from 'vitest';
import { readWindows } from '../../src/jobs/perplexity/node/evaluationText.js';
import {
  activationVariant,
  scoreVariants,
  standardErrorOfRounding,
} from '../support/activationVariants.js';
import { createPool, HOST, SAMPLE } from '../support/checkpoints.js';
import { openModel, SETTINGS } from '../support/languageModels.js';

/** By scheme: perplexity and KL divergence. */
const KNOWN: Readonly<Record<string, readonly [number, number]>> = {
  'f32/int8-token': [25.0913, 0.000909],
  'f32/int4-token': [28.3153, 0.159071],
  'f32/fp8-token': [24.9786, 0.001452],
  'f32/fp4-token': [26.5534, 0.086184],
  'f32/int8-token:qkv': [25.0995, 0.001013],
  'int4:g128/int8-token': [25.2655, 0.017873],
};

it('the sample has the perplexities that it had', async () => {
  const pool = await createPool();
  const model = await openModel(SAMPLE);
  const { windows } = await readWindows(HOST, model, { context: 256, windows: 4 });
  const variants = Object.keys(KNOWN).map((scheme) => activationVariant(model, scheme));
  const request = { pool, model, windows: windows.ids, variants, settings: SETTINGS };
  const scores = await scoreVariants(request);
  for (const [index, [scheme, [perplexity, divergence]]] of Object.entries(KNOWN).entries()) {
    const score = scores.variants[index];
    expect(score.tokens).toBe(4 * 255);
    const [, format] = scheme.split('/');
    const noise = standardErrorOfRounding(KNOWN[`f32/${format}`][1], score.tokens);
    expect(Math.abs(Math.log(score.perplexity / perplexity)), scheme).toBeLessThan(noise);
    expect(Math.abs(score.divergence / divergence - 1), scheme).toBeLessThan(5e-2);
  }
});
