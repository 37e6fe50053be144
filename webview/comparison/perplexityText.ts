import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { visibleName } from '../components/names.js';
import { countOf, formatInteger } from '../components/numbers.js';
import type { ComparisonReport } from '../components/protocolTypes.js';

const PROTOCOLS = {
  stream: 'one stream',
  'per-document': 'document by document',
  'token-ids': 'token ids as given',
} as const;

const BOS = {
  every: 'BOS begins every window',
  first: 'BOS begins the first window alone',
  some: 'BOS begins some windows',
  none: 'no BOS',
} as const;

function baseName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
}

/** What perplexities were measured on, and what to know of all of them. */
export function renderPerplexityText(
  report: ComparisonReport,
  scaleDtype: string | undefined,
): TemplateResult | typeof nothing {
  const { model, text, formats } = report;
  const notes = [...model.notes, ...report.notes];
  const outputs = renderOutputText(report);
  if (!text) return html`${outputs}${renderNotes(notes)}`;
  const { source, bundled, protocol, context, windows, tokens, totalTokens, bos } = text;
  const name = bundled ? 'sample text of Quantscope' : visibleName(baseName(source));
  const most = protocol === 'stream' ? '' : 'at most ';
  const parts = [
    PROTOCOLS[protocol],
    `${countOf(windows, 'window')} of ${most}${formatInteger(context)} tokens`,
    `${formatInteger(tokens)} of ${formatInteger(totalTokens)} tokens scored`,
    bos && BOS[bos],
    formats.length > 0 && scaleDtype && `scales in ${scaleDtype.toUpperCase()}`,
  ];
  return html`<div class="perplexity-text note" data-testid="perplexity-text">
    <p>
      Perplexity on <bdi title=${visibleName(source)}>${name}</bdi> ·
      ${parts.filter(Boolean).join(' · ')}
    </p>
    ${
      formats.length > 0
        ? html`<p>
            Δ: above the unquantized model, ± one standard error of the paired difference; within
            noise: below two. ○ cannot be told apart from the best.
          </p>`
        : nothing
    }
    ${outputs}${renderNotes(notes)}
  </div>`;
}

/** What output SQNR is about. */
function renderOutputText({
  outputErrorText: tokens,
}: ComparisonReport): TemplateResult | typeof nothing {
  if (!tokens) return nothing;
  const source = tokens.text ?? '';
  return html`<p class="note" data-testid="output-text">
    Output SQNR: what each layer makes of the unquantized model’s inputs, on
    ${formatInteger(tokens.tokens)} tokens of
    <bdi title=${visibleName(source)}>${visibleName(baseName(source))}</bdi>. Output underflow: the
    share of weights that become zero in the squared error that weights add there.
  </p>`;
}

function renderNotes(notes: readonly string[]): TemplateResult | typeof nothing {
  if (notes.length === 0) return nothing;
  return html`<ul class="report-notes note" data-testid="report-notes">
    ${notes.map((note) => html`<li>${visibleName(note)}</li>`)}
  </ul>`;
}
