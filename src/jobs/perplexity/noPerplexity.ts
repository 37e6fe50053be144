/**
 * Why models have no perplexity, as one sentence.
 * @param names of models whose perplexity is NaN or infinite, as the sentence goes on
 */
export function explainNoPerplexity(names: readonly string[]): string {
  return (
    `The perplexity of ${names.join(', ')} is NaN or infinite, so it says nothing: config.json does ` +
    'not describe these weights, or what they compute outgrows single precision.'
  );
}

/** How messages name the model as it is stored. */
export const UNQUANTIZED = 'the unquantized model';
