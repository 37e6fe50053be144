import type { ComparisonReport } from '../../src/reports/reports.js';
import type { Perplexity } from '../../src/model/scores/perplexity.js';

/** Of the sample, 170 windows of 256: unquantized, then delta, its error, KL and agreement. */
const BASELINE = 27.57;
const MEASURED: Readonly<Record<string, readonly [number, number | null, number, number]>> = {
  'int4-asym': [0.39, 0.03, 0.0168, 0.908],
  'int4-sym': [0.41, 0.03, 0.0211, 0.896],
  'fp4-e2m1': [0.39, 0.03, 0.0201, 0.9],
  'afp4-e2m1': [0.37, 0.03, 0.0184, 0.903],
  nf4: [0.29, 0.02, 0.0153, 0.911],
  anf4: [0.27, 0.03, 0.0139, 0.913],
  dint4: [0.02, 0.03, 0.0172, 0.903],
  'int3-asym': [2.14, 0.06, 0.0911, 0.801],
};
const TOKENS = 43_350;

function perplexity(
  delta: number,
  error: number | null,
  klDivergence: number,
  topTokenAgreement: number,
): Perplexity {
  const value = BASELINE + delta;
  return {
    value,
    nll: Math.log(value),
    standardError: 0.65,
    tokens: TOKENS,
    deltaVsBaseline: delta,
    deltaStandardError: error,
    klDivergence,
    reverseKlDivergence: 1.1 * klDivergence,
    cakld: 1.04 * klDivergence,
    confidence: 0.4,
    topTokenAgreement,
  };
}

/**
 * A comparison with perplexities beside the weight errors.
 * @param alone also with each tensor alone: a tenth of all, noise where the tensor's number is odd
 */
export function withSamplePerplexity(
  report: ComparisonReport,
  changes: typeof MEASURED = {},
  alone = false,
): ComparisonReport {
  const measured = { ...MEASURED, ...changes };
  return {
    ...report,
    text: {
      source: '/models/sample/eval.txt',
      bundled: false,
      protocol: 'stream',
      context: 256,
      windows: 170,
      tokens: TOKENS,
      totalTokens: 43_547,
    },
    baseline: {
      perplexity: {
        value: BASELINE,
        nll: Math.log(BASELINE),
        standardError: 0.65,
        tokens: TOKENS,
        deltaVsBaseline: 0,
        deltaStandardError: 0,
        confidence: 0.4,
      },
    },
    notes: ['A note on <b>all</b> perplexities.'],
    formats: report.formats.map((format) => {
      const [delta, error, divergence, agreement] = measured[format.id.split(':')[0]];
      const whole = perplexity(delta, error, divergence, agreement);
      if (!alone) return { ...format, perplexity: whole };
      const tensors = format.tensors.map((tensor, index) => {
        const one = (delta * (index + 1)) / 400;
        const noise = index % 2 ? 1 : 1e-4;
        return { ...tensor, perplexityAlone: perplexity(one, noise, divergence / 10, 0.99) };
      });
      const sumOfDeltasAlone = (layer?: string): number =>
        tensors
          .filter((tensor) => layer === undefined || tensor.layer === layer)
          .reduce((sum, { perplexityAlone }) => sum + perplexityAlone.deltaVsBaseline, 0);
      return {
        ...format,
        perplexity: whole,
        tensors,
        summary: { ...format.summary, sumOfDeltasAlone: sumOfDeltasAlone() },
        layers: format.layers.map((layer) => ({
          ...layer,
          sumOfDeltasAlone: sumOfDeltasAlone(layer.layer),
        })),
      };
    }),
  };
}
