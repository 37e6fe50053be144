import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { Progress } from '../../src/rpc/rpc.js';
import { css } from './cssom.js';
import { LightElement } from './lightElement.js';
import { formatDuration } from './numbers.js';

/** Seconds before a time left is worth stating. */
const ESTIMATE_AFTER = 2;

/**
 * Work under way: what is done, how far, how long still, and Cancel (event `cancel-work`). Speaks at
 * the start, at each quarter and politely.
 */
@customElement('qs-progress-strip')
export class ProgressStrip extends LightElement {
  @property() label = '';
  @property({ attribute: false }) progress?: Progress;
  /** Seconds; computed from the progress so far where absent. */
  @property({ attribute: false }) secondsLeft?: number;
  @property({ type: Boolean }) cancelling = false;
  @state() private spoken = '';

  private readonly started = performance.now();
  private quarter = -1;

  protected override willUpdate(): void {
    const quarter = Math.floor(this.fraction * 4);
    if (quarter === this.quarter) return;
    this.quarter = quarter;
    this.spoken = quarter === 0 ? this.label : `${this.label}: ${quarter * 25} per cent`;
  }

  private get fraction(): number {
    const { done = 0, total = 0 } = this.progress ?? {};
    return total > 0 ? Math.min(1, done / total) : 0;
  }

  private get estimate(): number | undefined {
    if (this.secondsLeft !== undefined) return this.secondsLeft;
    const elapsed = (performance.now() - this.started) / 1000;
    if (elapsed < ESTIMATE_AFTER || this.fraction === 0) return undefined;
    return (elapsed * (1 - this.fraction)) / this.fraction;
  }

  override render(): TemplateResult {
    const percent = Math.round(this.fraction * 100);
    const left = this.estimate;
    return html`<div class="progress-strip">
      <div class="progress-line">
        <span class="progress-label">${this.progress?.message || this.label}</span>
        <span class="note">${left === undefined ? nothing : `${formatDuration(left)} left`}</span>
        <button class="link" ?disabled=${this.cancelling} @click=${() => this.emit('cancel-work')}>
          ${this.cancelling ? 'Cancelling…' : 'Cancel'}
        </button>
      </div>
      <div
        class="progress-track"
        role="progressbar"
        aria-label=${this.label}
        aria-valuemin="0"
        aria-valuemax="100"
        aria-valuenow=${this.progress ? percent : nothing}
      >
        <div class="progress-bar" ${css({ width: `${percent}%` })}></div>
      </div>
      <span class="visually-hidden" aria-live="polite">${this.spoken}</span>
    </div>`;
  }
}
