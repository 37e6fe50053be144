import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { formatPrecision } from '../components/numbers.js';
import { advantageUnit } from './gridModel.js';
import type { TensorMeasure } from './measures.js';
import { MEASURES } from './measures.js';

/**
 * What colours, signs and bold mean in the table by tensor. `span` is the difference that has the
 * strongest of `steps` shades, in the unit of the measure's differences; `reference` a label or "".
 */
export function renderGridLegend(
  measure: TensorMeasure,
  reference: string,
  span: number,
  steps: number,
): TemplateResult {
  const { better } = MEASURES[measure];
  return html`<p class="grid-legend note">
    ${reference && better && span > 0 ? renderShades(measure, reference, span, steps) : nothing}
    ${better ? html`<span><b>bold</b>: best of row</span>` : nothing}
    <span>Enter opens a tensor in its file’s editor</span>
  </p>`;
}

function renderShades(
  measure: TensorMeasure,
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
