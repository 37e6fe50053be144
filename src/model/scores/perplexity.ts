import { confidenceAwareDivergence } from '../../metrics/logitDivergence.js';
import type { WindowScore } from '../evaluation/types.js';

/** A perplexity and how sure it is. */
export interface Perplexity {
  /** exp(nll). */
  readonly value: number;
  /** Mean negative log-likelihood over all scored tokens, nats. */
  readonly nll: number;
  /** Standard error of the perplexity over windows; null with a single window, which tells nothing. */
  readonly standardError: number | null;
  /** Scored tokens. */
  readonly tokens: number;
  /** Perplexity less that of the unquantized model. */
  readonly deltaVsBaseline: number;
  /** Standard error of that difference, paired window by window; null with a single window. */
  readonly deltaStandardError: number | null;
  /** Mean KL(unquantized ‖ quantized), nats per token; absent for the unquantized model. */
  readonly klDivergence?: number;
  /** Mean KL(quantized ‖ unquantized), nats per token; absent for the unquantized model. */
  readonly reverseKlDivergence?: number;
  /**
   * BitDistiller's confidence-aware divergence, nats per token: γ·reverse + (1 − γ)·forward, γ being the
   * unquantized model's {@link confidence} over all scored tokens; absent for the unquantized model.
   */
  readonly cakld?: number;
  /** Mean probability of the most probable token. */
  readonly confidence: number;
  /** Share of tokens with the same most probable prediction; absent for the unquantized model. */
  readonly topTokenAgreement?: number;
}

interface Totals {
  readonly nll: number;
  readonly targets: number;
  /** Nats per target. */
  readonly mean: number;
  readonly perplexity: number;
  /** Mean largest probability. */
  readonly confidence: number;
}

function totalsOf(scores: readonly WindowScore[]): Totals {
  if (scores.length === 0) throw new Error('There is no window to take a perplexity of');
  let nll = 0;
  let targets = 0;
  let confidence = 0;
  for (const score of scores) {
    nll += score.nll;
    targets += score.targets;
    confidence += score.confidence;
  }
  const mean = nll / targets;
  return { nll, targets, mean, perplexity: Math.exp(mean), confidence: confidence / targets };
}

/**
 * A window's share in the error of the perplexity. The mean per token is a ratio of sums over
 * windows of unequal length, Σs/Σn, whose linearization leaves the residual s − mean·n; the factor
 * carries it from the mean to the perplexity, d(exp m) = exp(m)·dm.
 */
function residual({ nll, targets }: WindowScore, { mean, perplexity }: Totals): number {
  return perplexity * (nll - mean * targets);
}

/** √(n/(n−1)·Σr²)/Σtargets: the standard error of a ratio estimate; null for n = 1. */
function standardErrorOf(residuals: readonly number[], targets: number): number | null {
  const count = residuals.length;
  if (count < 2) return null;
  const squares = residuals.reduce((sum, each) => sum + each * each, 0);
  return Math.sqrt((count / (count - 1)) * squares) / targets;
}

/** The unquantized model's perplexity; its difference from itself is exactly 0. */
export function computeBaselinePerplexity(scores: readonly WindowScore[]): Perplexity {
  const totals = totalsOf(scores);
  const residuals = scores.map((score) => residual(score, totals));
  return {
    value: totals.perplexity,
    nll: totals.mean,
    standardError: standardErrorOf(residuals, totals.targets),
    tokens: totals.targets,
    deltaVsBaseline: 0,
    deltaStandardError: 0,
    confidence: totals.confidence,
  };
}

/**
 * A changed model's perplexity, and how far it is from the unquantized model's on the same windows.
 * Both are scored on the same text, so most of what makes a window hard cancels in the difference:
 * its error is that of the windows' paired residuals.
 */
export function computePerplexity(
  scores: readonly WindowScore[],
  baseline: readonly WindowScore[],
): Perplexity {
  if (scores.length !== baseline.length) throw new Error('The windows are not the same');
  const totals = totalsOf(scores);
  const baselineTotals = totalsOf(baseline);
  const residuals = scores.map((score) => residual(score, totals));
  const differences = residuals.map(
    (each, window) => each - residual(baseline[window], baselineTotals),
  );
  let divergence = 0;
  let reverseDivergence = 0;
  let agreements = 0;
  for (const score of scores) {
    divergence += score.divergence;
    reverseDivergence += score.reverseDivergence;
    agreements += score.agreements;
  }
  const forward = divergence / totals.targets;
  const reverse = reverseDivergence / totals.targets;
  return {
    value: totals.perplexity,
    nll: totals.mean,
    standardError: standardErrorOf(residuals, totals.targets),
    tokens: totals.targets,
    deltaVsBaseline: totals.perplexity - baselineTotals.perplexity,
    deltaStandardError: standardErrorOf(differences, totals.targets),
    klDivergence: forward,
    reverseKlDivergence: reverse,
    cakld: confidenceAwareDivergence(baselineTotals.confidence, { forward, reverse }),
    confidence: totals.confidence,
    topTokenAgreement: agreements / totals.targets,
  };
}
