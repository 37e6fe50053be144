/**
 * Why models have no perplexity, as one sentence.
 * @param names of models whose perplexity is NaN or infinite, as the sentence goes on
 */
export function explainNoPerplexity(names: readonly string[]): string {
  return (
    `No finite perplexity comes out for ${names.join(', ')}: config.json does not describe these ` +
    'weights, some are not finite themselves, or what they compute outgrows single precision.'
  );
}

/** How messages name the model as it is stored. */
export const UNQUANTIZED = 'the unquantized model';
