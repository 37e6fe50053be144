import type { RecommendationReport } from '../reports/recommendation.js';
import { visible } from '../storage/errors.js';
import { formatFixed, formatSignificant, formatSize } from './numbers.js';
import { describeText, formatSigned } from './perplexityText.js';
import { formatTable, type Column } from './tables.js';
import { formatTimings } from './timingsText.js';

const right = (title: string): Column => ({ title, align: 'right' });
const left = (title: string): Column => ({ title, align: 'left' });

function describeBudget({ budget }: RecommendationReport): string {
  switch (budget.kind) {
    case 'bits':
      return `at most ${budget.bitsPerWeight} bits per weight`;
    case 'bytes':
      return `at most ${formatSize(budget.bytes)} for all weights`;
    case 'divergence':
      return `a predicted KL divergence of at most ${budget.klDivergence} nats`;
    case 'perplexity':
      return `a predicted perplexity of at most ${budget.delta} above the unquantized model's`;
  }
}

/** The mix, the uniform formats beside it, and the unquantized model. */
function formatResults(report: RecommendationReport): string {
  const { bitsPerWeight, sizeBytes, predicted, measured, uniform, baseline } = report;
  const rows = [
    { name: 'mix', bitsPerWeight, sizeBytes, predicted, measured },
    ...uniform.map(({ id, ...rest }) => ({ name: id, ...rest })),
  ].map((row) => [
    row.name,
    formatFixed(row.bitsPerWeight, 3),
    formatSize(row.sizeBytes),
    formatSignificant(row.predicted.klDivergence),
    ...(row.measured
      ? [
          formatSignificant(row.measured.klDivergence ?? NaN),
          formatSignificant(row.measured.value),
          formatSigned(row.measured.deltaVsBaseline),
        ]
      : []),
  ]);
  const unquantized = ['unquantized', '', '', '', '', formatSignificant(baseline.perplexity.value)];
  return formatTable(
    [
      left('Format'),
      right('bits/weight'),
      right('model'),
      right('predicted KL'),
      right('measured KL'),
      right('perplexity'),
      right('Δ'),
    ],
    [unquantized, ...rows],
  );
}

/** What each tensor gets, those that matter most first. */
function formatAssignment({ assignment, sensitivity }: RecommendationReport): string {
  const alphas = new Map(sensitivity.tensors.map(({ name, alpha }) => [name, alpha]));
  const sorted = [...assignment].sort((a, b) => alphas.get(b.tensor)! - alphas.get(a.tensor)!);
  return formatTable(
    [left('Tensor'), left('format'), right('bits/weight'), right('α'), right('t²'), right('α·t²')],
    sorted.map((each) => [
      visible(each.tensor),
      each.format + (each.pinned ? ' (given)' : ''),
      formatFixed(each.bitsPerWeight, 3),
      formatSignificant(alphas.get(each.tensor)!),
      formatSignificant(each.relativeError),
      formatSignificant(each.klDivergence),
    ]),
  );
}

function describeSensitivity({ sensitivity, predicted, predictedBound }: RecommendationReport) {
  const { tokens, evaluations, noise, seconds } = sensitivity;
  const draws = evaluations / sensitivity.tensors.length / noise.length;
  const source = tokens.text === undefined ? 'token ids drawn at random' : tokens.text;
  const gap = predicted.klDivergence - predictedBound;
  const optimal =
    gap > 0
      ? `The prediction is at most ${formatSignificant(gap)} above the best possible.`
      : 'No other assignment of these formats within the budget has a lower prediction.';
  return (
    `α: predicted KL divergence of a squared relative error t² of 1 in a tensor, from noise of t² = ${noise.join(', ')} ` +
    `on each alone, ${draws === 1 ? 'once' : `${draws} times`}; ${tokens.windows} windows of ${tokens.context} tokens ` +
    `(${visible(source)}), ${formatFixed(seconds, 2)} s. ${optimal}`
  );
}

/** A recommendation for people at a terminal: what to take, how it was measured, what each tensor gets. */
export function formatRecommendation(report: RecommendationReport): string {
  const { model, text, bestUniform, recommended, notes, sensitivity, timings, ties } = report;
  const name = model.architecture ? `${model.path}  ${model.architecture}` : model.path;
  const choice = recommended === 'mix' ? 'the mix below' : `${bestUniform!.format} for all tensors`;
  const tied = ties.length > 0 ? `; tied: ${ties.join(', ')}` : '';
  const general = [...model.notes, ...notes, ...sensitivity.notes]
    .map((note) => `${visible(note)}\n`)
    .join('');
  return (
    `${visible(name)}\n${describeText(text)}; scales in ${report.scaleDtype.toUpperCase()}\n` +
    `Budget: ${describeBudget(report)}${tied}\nRecommended: ${choice}\n\n` +
    `${formatResults(report)}\n${formatAssignment(report)}\n` +
    `${describeSensitivity(report)}\n` +
    (general && `\n${general}`) +
    `\n${formatTimings(timings)}\n`
  );
}
