import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { closeIcon, searchIcon } from '../components/icons.js';
import { LightElement } from '../components/lightElement.js';
import { countOf } from '../components/numbers.js';

/** Where tensors are filtered. Sends `filter-changed` (text) and `filter-left` (to the list). */
@customElement('qs-filter-box')
export class FilterBox extends LightElement {
  @property() value = '';
  /** Tensors that match, when there is a filter. */
  @property({ attribute: false }) found?: number;

  override focus(): void {
    this.querySelector('input')?.focus();
  }

  override render(): TemplateResult {
    return html`<div class="filter-box">
      ${searchIcon}
      <input
        data-testid="filter"
        type="text"
        role="searchbox"
        aria-label="Filter tensors by name, type or shape"
        placeholder="Filter tensors — name, dtype, shape"
        spellcheck="false"
        autocomplete="off"
        .value=${this.value}
        @input=${(event: Event) =>
          this.emit('filter-changed', (event.target as HTMLInputElement).value)}
        @keydown=${this.onKeyDown}
      />
      ${
        this.value
          ? html`<button
              class="tool"
              aria-label="Clear filter"
              title="Clear filter"
              @click=${this.clear}
            >
              ${closeIcon}
            </button>`
          : nothing
      }
      <span class="visually-hidden" aria-live="polite">
        ${this.found === undefined ? '' : `${countOf(this.found, 'tensor')} found`}
      </span>
    </div>`;
  }

  private clear(): void {
    this.emit('filter-changed', '');
    this.focus();
  }

  private onKeyDown(event: KeyboardEvent): void {
    if (event.key === 'Escape' && this.value) this.clear();
    else if (event.key === 'ArrowDown' || event.key === 'Enter') this.emit('filter-left');
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
