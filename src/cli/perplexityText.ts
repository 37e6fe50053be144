import type { ScaleDtype } from '../formats/index.js';
import type { PerplexityReport, PerplexityText } from '../reports/reports.js';
import { visible } from '../storage/errors.js';
import { notesText } from './notesText.js';
import { count, fixed, percent, significant } from './numbers.js';
import { table } from './tables.js';
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

/** What was scored: text, protocol, windows. */
export function textLine(text: PerplexityText): string {
  const { source, protocol, separator, context, windows, tokens, totalTokens } = text;
  const documents = protocol === 'per-document' ? `, separator ${JSON.stringify(separator)}` : '';
  const least = protocol === 'stream' ? '' : 'at most ';
  return visible(
    `${source}: ${PROTOCOLS[protocol]}${documents}, ` +
      `${count(windows)} ${windows === 1 ? 'window' : 'windows'} of ${least}${count(context)} tokens; ` +
      `${count(tokens)} of ${count(totalTokens)} tokens scored`,
  );
}

function orDash(error: number | null): string {
  return error === null ? '–' : significant(error);
}

/** A difference with its sign. */
export function signed(value: number): string {
  return value > 0 ? `+${significant(value)}` : significant(value);
}

/** The unquantized model in a row, then each format's perplexity and how far it is from that. */
export function perplexityTable(baseline: Perplexity, formats: readonly Row[]): string {
  const rows = formats.flatMap(({ id, bitsPerWeight, perplexity }) =>
    perplexity
      ? [
          [
            id,
            fixed(bitsPerWeight, 3),
            significant(perplexity.value),
            orDash(perplexity.standardError),
            signed(perplexity.deltaVsBaseline),
            orDash(perplexity.deltaStandardError),
            significant(perplexity.klDivergence ?? NaN),
            percent(perplexity.topTokenAgreement ?? NaN),
          ],
        ]
      : [],
  );
  const unquantized = [
    'unquantized',
    '',
    significant(baseline.value),
    orDash(baseline.standardError),
  ];
  return table(
    [
      left('Format'),
      right('bits/weight'),
      right('perplexity'),
      right('± s.e.'),
      right('Δ'),
      right('± s.e.'),
      right('KL, nats'),
      right('same top, %'),
    ],
    [unquantized, ...rows],
  );
}

/**
 * Perplexities for people at a terminal: what was scored, a row a format, what to know. Δ is the
 * difference from the unquantized model, with the error of that difference.
 */
export function perplexityText(report: PerplexityReport, scaleDtype: ScaleDtype): string {
  const { model, text, baseline, formats, notes, timings } = report;
  const name = model.architecture ? `${model.path}  ${model.architecture}` : model.path;
  const scales = formats.length > 0 ? `; scales in ${scaleDtype.toUpperCase()}` : '';
  const general = notes.map((note) => `${visible(note)}\n`).join('');
  return (
    `${visible(name)}\n${textLine(text)}${scales}\n\n` +
    perplexityTable(baseline.perplexity, formats) +
    notesText(formats) +
    (general && `\n${general}`) +
    `\n${fixed(timings.totalSeconds, 2)} s, ${timings.backend}, ${timings.threads} ` +
    `${timings.threads === 1 ? 'thread' : 'threads'}\n`
  );
}
