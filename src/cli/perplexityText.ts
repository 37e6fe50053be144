import type { ScaleDtype } from '../formats/index.js';
import type { PerplexityReport, PerplexityText } from '../reports/reports.js';
import { visible } from '../storage/errors.js';
import { formatMethodTable } from './methodTable.js';
import { formatNotes } from './notesText.js';
import { formatCount, formatFixed, formatPercent, formatSignificant } from './numbers.js';
import { formatTable } from './tables.js';
import { formatTimings } from './timingsText.js';
import type { Column } from './tables.js';

type Perplexity = PerplexityReport['baseline']['perplexity'];

interface Row {
  readonly id: string;
  readonly bitsPerWeight: number;
  readonly perplexity?: Perplexity;
}

const right = (title: string): Column => ({ title, align: 'right' });
const left = (title: string): Column => ({ title, align: 'left' });

const PROTOCOLS: Readonly<Record<PerplexityText['protocol'], string>> = {
  stream: 'stream',
  'per-document': 'per document',
  'token-ids': 'token ids as given',
};

const BOS: Readonly<Record<NonNullable<PerplexityText['bos']>, string>> = {
  every: 'BOS begins every window',
  first: 'BOS begins the first window alone',
  some: 'BOS begins some windows',
  none: 'no BOS',
};

/** What was scored: text, protocol, windows. */
export function describeText(text: PerplexityText): string {
  const { source, protocol, separator, context, windows, tokens, totalTokens, bos } = text;
  const documents = protocol === 'per-document' ? `, separator ${JSON.stringify(separator)}` : '';
  const least = protocol === 'stream' ? '' : 'at most ';
  return visible(
    `${source}: ${PROTOCOLS[protocol]}${documents}, ` +
      `${formatCount(windows)} ${windows === 1 ? 'window' : 'windows'} of ${least}${formatCount(context)} tokens; ` +
      `${formatCount(tokens)} of ${formatCount(totalTokens)} tokens scored${bos ? `; ${BOS[bos]}` : ''}`,
  );
}

function orDash(error: number | null): string {
  return error === null ? '–' : formatSignificant(error);
}

/** A difference with its sign. */
export function formatSigned(value: number): string {
  return value > 0 ? `+${formatSignificant(value)}` : formatSignificant(value);
}

/** The unquantized model in a row, then each format's perplexity and how far it is from that. */
export function formatPerplexityTable(baseline: Perplexity, formats: readonly Row[]): string {
  const rows = formats.flatMap(({ id, bitsPerWeight, perplexity }) =>
    perplexity
      ? [
          [
            id,
            formatFixed(bitsPerWeight, 3),
            formatSignificant(perplexity.value),
            orDash(perplexity.standardError),
            formatSigned(perplexity.deltaVsBaseline),
            orDash(perplexity.deltaStandardError),
            formatSignificant(perplexity.klDivergence ?? NaN),
            formatSignificant(perplexity.reverseKlDivergence ?? NaN),
            formatSignificant(perplexity.cakld ?? NaN),
            formatPercent(perplexity.topTokenAgreement ?? NaN),
          ],
        ]
      : [],
  );
  const unquantized = [
    'unquantized',
    '',
    formatSignificant(baseline.value),
    orDash(baseline.standardError),
  ];
  return formatTable(
    [
      left('Format'),
      right('bits/weight'),
      right('perplexity'),
      right('± s.e.'),
      right('Δ'),
      right('± s.e.'),
      right('KL, nats'),
      right('reverse KL'),
      right('CAKLD'),
      right('same top, %'),
    ],
    [unquantized, ...rows],
  );
}

/** Perplexities by number format and method, where there are several of both. */
function methodsSection(formats: PerplexityReport['formats']): string {
  const cells = formats.map((format) => ({
    ...format,
    text: formatSignificant(format.perplexity.value),
  }));
  const table = formatMethodTable('Perplexity', cells);
  return table && `\n${table}`;
}

/**
 * Perplexities for people at a terminal: what was scored, a row a format, what to know. Δ is the
 * difference from the unquantized model, with the error of that difference.
 */
export function formatPerplexity(report: PerplexityReport, scaleDtype: ScaleDtype): string {
  const { model, text, baseline, formats, notes, timings } = report;
  const name = model.architecture ? `${model.path}  ${model.architecture}` : model.path;
  const scales = formats.length > 0 ? `; scales in ${scaleDtype.toUpperCase()}` : '';
  const general = [...model.notes, ...notes].map((note) => `${visible(note)}\n`).join('');
  return (
    `${visible(name)}\n${describeText(text)}${scales}\n\n` +
    formatPerplexityTable(baseline.perplexity, formats) +
    methodsSection(formats) +
    formatNotes(formats) +
    (general && `\n${general}`) +
    `\n${formatTimings(timings)}\n`
  );
}
