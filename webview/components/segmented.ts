import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { LightElement } from './lightElement.js';

export interface SegmentedOption {
  readonly value: string;
  readonly label: string;
  /** What it means, where the label is short. */
  readonly hint?: string;
}

/** A choice of few, side by side: a radio group. Sends `choice-changed` with the value. */
@customElement('qs-segmented')
export class Segmented extends LightElement {
  @property() label = '';
  @property() value = '';
  @property({ attribute: false }) options: readonly SegmentedOption[] = [];

  override render(): TemplateResult {
    return html`<div class="segmented" role="radiogroup" aria-label=${this.label}>
      ${this.options.map(
        ({ value, label, hint }) =>
          html`<button
            role="radio"
            aria-checked=${value === this.value ? 'true' : 'false'}
            tabindex=${value === this.value ? 0 : -1}
            data-value=${value}
            title=${hint ?? nothing}
            @click=${() => this.choose(value)}
            @keydown=${this.onKeyDown}
          >
            ${label}
          </button>`,
      )}
    </div>`;
  }

  private choose(value: string): void {
    if (value !== this.value) this.emit('choice-changed', value);
  }

  private onKeyDown(event: KeyboardEvent): void {
    const steps: Record<string, number> = {
      ArrowRight: 1,
      ArrowDown: 1,
      ArrowLeft: -1,
      ArrowUp: -1,
    };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const at = this.options.findIndex(({ value }) => value === this.value);
    const next = this.options[(at + step + this.options.length) % this.options.length];
    this.choose(next.value);
    void this.updateComplete.then(() =>
      this.querySelectorAll<HTMLElement>('button')[this.options.indexOf(next)]?.focus(),
    );
  }
}
