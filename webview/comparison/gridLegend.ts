import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { countOf, formatPrecision } from '../components/numbers.js';
import type { ComparisonReport } from '../components/protocolTypes.js';
import type { GridMeasure } from './measures.js';
import { MEASURES, advantageUnit, isAloneMeasure, deltaDecimals, signed } from './measures.js';
import { isWithinNoise, deltaText } from './perplexity.js';

/**
 * What colours, signs and bold mean in the table by tensor. `span` is the difference that has the
 * strongest of `steps` shades, in the unit of the measure's differences; `reference` a label or "".
 */
export function renderGridLegend(
  measure: GridMeasure,
  reference: string,
  span: number,
  steps: number,
  opensTensors: boolean,
): TemplateResult {
  if (measure === 'perplexityDelta') return renderDeltaLegend(span, steps, opensTensors);
  const { better } = MEASURES[measure];
  return html`<p class="grid-legend note">
    ${reference && better && span > 0 ? renderShades(measure, reference, span, steps) : nothing}
    ${better ? html`<span><b>bold</b>: best of row</span>` : nothing}
    ${
      isAloneMeasure(measure)
        ? html`<span>of the model with these weights alone quantized</span>`
        : nothing
    }
    ${measure === 'klDivergence' ? html`<span><i>italic</i>: sum of single tensors</span>` : nothing}
    ${opensTensors ? html`<span>Enter opens a tensor in its file’s editor</span>` : nothing}
  </p>`;
}

function renderDeltaLegend(span: number, steps: number, opensTensors: boolean): TemplateResult {
  const all = Array.from({ length: steps }, (_, i) => i + 1);
  return html`<p class="grid-legend note">
    <span>perplexity above the unquantized model, with these weights alone quantized</span>
    ${
      span > 0
        ? html`<span class="shades"
            >${all.map((step) => html`<i class="shade worse shade-${step}"></i>`)}
            +${formatPrecision(span, 2)} and beyond</span
          >`
        : nothing
    }
    <span>· within noise: below two standard errors</span>
    <span><i>italic</i>: sum of single tensors</span>
    ${opensTensors ? html`<span>Enter opens a tensor in its file’s editor</span>` : nothing}
  </p>`;
}

/** What the tensors add one by one beside what they add together, a line a format. */
export function renderSums({ formats }: ComparisonReport): TemplateResult | typeof nothing {
  const lines = formats.flatMap(({ label, summary, perplexity }) => {
    const { sumOfDeltasAlone: sum, tensors } = summary;
    if (sum === undefined || !perplexity || tensors < 2) return [];
    const decimals = deltaDecimals([sum, perplexity.deltaVsBaseline]);
    return [
      `${label}: ${countOf(tensors, 'tensor')} one by one add up to ` +
        `${signed(sum, decimals)}; together they measure ${deltaText(perplexity, decimals)}` +
        `${isWithinNoise(perplexity) ? ', which is within noise' : ''}.`,
    ];
  });
  return lines.length
    ? html`<ul class="delta-sums note">
        ${lines.map((line) => html`<li>${line}</li>`)}
      </ul>`
    : nothing;
}

function renderShades(
  measure: GridMeasure,
  reference: string,
  span: number,
  steps: number,
): TemplateResult {
  const { unit, factor } = advantageUnit(measure);
  const size = (gain: number): string => `${formatPrecision(gain * factor, 2)} ${unit}`.trim();
  const all = Array.from({ length: steps }, (_, i) => i + 1);
  const shades = (side: string, order: readonly number[]) =>
    order.map((step) => html`<i class="shade ${side} shade-${step}"></i>`);
  // The faintest shade begins half a step from zero.
  const least = size(span / (2 * steps));
  return html`<span class="shades"
      >worse than ${reference} ${shades('worse', all.toReversed())}<i class="shade"></i>${shades(
        'better',
        all,
      )}
      better, ${size(span)} and beyond</span
    >
    <span class="signs">▲ better, ▼ worse than ${reference}, by ${least} or more</span>`;
}
