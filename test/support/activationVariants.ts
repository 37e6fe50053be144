// Variants with rounded activations, and what scoring them comes to.
import { parseActivationFormat, parseFormat } from '../../src/formats/index.js';
import { selectTensors } from '../../src/jobs/selection.js';
import { inActivationFormat } from '../../src/model/evaluation/activations.js';
import { evaluate } from '../../src/model/evaluation/evaluate.js';
import type {
  EvaluationRequest,
  LanguageModel,
  Variant,
  WindowScore,
} from '../../src/model/evaluation/types.js';
import { inFormat } from '../../src/model/evaluation/variants.js';

/** The names of a model's linear weights, without its embedding and head. */
export function linearWeights({ opened }: LanguageModel): readonly string[] {
  return selectTensors(opened, {}).map(({ name }) => name);
}

/**
 * All linear weights in a format, and their inputs in another.
 * @param scheme "int4/int8-token", "f32/int8-static"
 * @param ranges for static formats
 */
export function activationVariant(
  model: LanguageModel,
  scheme: string,
  ranges?: ReadonlyMap<string, number>,
): Variant {
  const [weights, activations] = scheme.split('/');
  const names = linearWeights(model);
  const format = parseActivationFormat(activations);
  return {
    id: scheme,
    changes: weights === 'f32' ? new Map() : inFormat(parseFormat(weights), names),
    activations: ranges
      ? new Map(names.map((name) => [name, { format, range: ranges.get(name) }]))
      : inActivationFormat(format, names),
  };
}

/** Means per token. */
export interface MeanScore {
  readonly perplexity: number;
  readonly divergence: number;
  readonly tokens: number;
}

function meanOf(scores: readonly WindowScore[]): MeanScore {
  const sum = (of: (score: WindowScore) => number) =>
    scores.reduce((total, score) => total + of(score), 0);
  const tokens = sum(({ targets }) => targets);
  return {
    perplexity: Math.exp(sum(({ nll }) => nll) / tokens),
    divergence: sum(({ divergence }) => divergence) / tokens,
    tokens,
  };
}

/** Scores a model and variants of it. */
export async function scoreVariants(
  request: EvaluationRequest,
): Promise<{ readonly baseline: MeanScore; readonly variants: readonly MeanScore[] }> {
  const { baseline, variants } = await evaluate(request);
  return { baseline: meanOf(baseline), variants: variants.map(meanOf) };
}

/**
 * How far apart two computations of one scheme are in nats per token, as a standard error. A code near a tie flips
 * with the last bit of the sum before it, and codes behind it flip in turn, so that the two end as two draws of
 * the same noise: a token's logits differ with a variance of 2·KL for each of them.
 * @param divergence mean KL of the activations' rounding alone
 */
export function standardErrorOfRounding(divergence: number, tokens: number): number {
  return Math.sqrt((4 * divergence) / tokens);
}
