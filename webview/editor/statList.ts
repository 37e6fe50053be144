import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { LightElement } from '../components/lightElement.js';
import '../components/messageBar.js';
import {
  NO_NUMBER,
  countOf,
  formatFixed,
  formatInteger,
  formatWeight,
  weightDecimals,
} from '../components/numbers.js';
import type { Statistics, Tensor } from '../components/protocolTypes.js';

interface Entry {
  readonly label: string;
  readonly text: string;
  /** The number in full. */
  readonly full: string;
  /** Shown even in a narrow pane. */
  readonly important?: boolean;
}

/** Statistics of all weights; in a narrow pane six of them, the rest on demand (`more-toggled`). */
@customElement('qs-stat-list')
export class StatList extends LightElement {
  @property({ attribute: false }) statistics!: Statistics;
  @property({ attribute: false }) tensor!: Tensor;
  @property({ type: Boolean }) more = false;

  override render(): TemplateResult {
    const entries = entriesOf(this.statistics);
    const folded = entries.filter((entry) => !entry.important).length;
    return html`${this.renderWarning()}
      <dl class="stat-list ${this.more ? 'all' : ''}" aria-label="Statistics">
        ${entries.map(
          (entry) =>
            html`<div class="stat ${entry.important ? 'important' : ''}">
              <dt>${entry.label}</dt>
              <dd title=${entry.full}>${entry.text}</dd>
            </div>`,
        )}
      </dl>
      <button
        class="link stat-more"
        aria-expanded=${this.more ? 'true' : 'false'}
        @click=${() => this.emit('more-toggled')}
      >
        ${this.more ? 'Fewer statistics' : `${folded} more statistics`}
      </button>`;
  }

  private renderWarning(): TemplateResult | typeof nothing {
    const { nan, inf, firstNonFinite } = this.statistics;
    if (nan + inf === 0) return nothing;
    const parts = [nan && `${formatInteger(nan)} NaN`, inf && `${formatInteger(inf)} ±Inf`];
    const where =
      firstNonFinite === undefined ? '' : `, the first at ${position(firstNonFinite, this.tensor)}`;
    return html`<qs-message-bar
      kind="warning"
      .text=${`${parts.filter(Boolean).join(' and ')} among ${countOf(this.tensor.elements, 'weight')}${where}. The statistics are those of the finite weights.`}
    ></qs-message-bar>`;
  }
}

/** "[160, 642]" for a row-major index. */
function position(index: number, { shape }: Tensor): string {
  const place: number[] = [];
  let rest = index;
  for (const size of [...shape].reverse()) {
    place.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return place.length ? `[${place.join(', ')}]` : 'its only element';
}

function entriesOf(s: Statistics): Entry[] {
  const decimals = weightDecimals(s.absMax);
  const finite = Number.isFinite(s.min);
  const weight = (label: string, value: number | undefined, important = false): Entry => ({
    label,
    text: value === undefined || !finite ? NO_NUMBER : formatWeight(value, decimals),
    full: String(value),
    important,
  });
  const plain = (label: string, value: number, important = false): Entry => ({
    label,
    text: Number.isFinite(value) ? formatFixed(value, 3) : NO_NUMBER,
    full: String(value),
    important,
  });
  const count = (label: string, value: number): Entry => ({
    label,
    text: formatInteger(value),
    full: String(value),
  });
  const quantile = (label: string, probability: string, important = false): Entry =>
    weight(label, s.quantiles[probability], important);
  return [
    weight('min', s.min, true),
    weight('max', s.max, true),
    weight('mean', s.mean),
    weight('std', s.std, true),
    quantile('q 0.1 %', '0.001', true),
    quantile('q 99.9 %', '0.999', true),
    plain('skewness', s.skewness),
    plain('excess kurtosis', s.kurtosis, true),
    quantile('q 1 %', '0.01'),
    quantile('q 99 %', '0.99'),
    count('exact zeros', s.zeros),
    s.distinct === undefined ? quantile('median', '0.5') : count('distinct values', s.distinct),
    quantile('q 25 %', '0.25'),
    quantile('q 75 %', '0.75'),
    count('NaN', s.nan),
    count('±Inf', s.inf),
  ];
}
