import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { dropdownValue } from '../components/controls.js';
import { LightElement } from '../components/lightElement.js';

const SIZES = [32, 64, 128, 256];
const ROW = 0;

/** Weights per group: a usual size, whole rows, or any number. Sends `group-size-changed`. */
@customElement('qs-group-size-field')
export class GroupSizeField extends LightElement {
  /** 0 for whole rows. */
  @property({ type: Number }) value = 128;
  @state() private custom = false;

  override render(): TemplateResult {
    const custom = this.custom || !(this.value === ROW || SIZES.includes(this.value));
    const chosen = custom ? 'custom' : String(this.value);
    const option = (value: string, label: string): TemplateResult =>
      html`<vscode-option value=${value} ?selected=${value === chosen}>${label}</vscode-option>`;
    return html`<label class="field" for="group-size">Group</label>
      <vscode-dropdown
        id="group-size"
        aria-label="Group size"
        .value=${chosen}
        @change=${this.onChoice}
      >
        ${SIZES.map((size) => option(String(size), String(size)))} ${option('0', 'row')}
        ${option('custom', 'other…')}
      </vscode-dropdown>
      ${
        custom
          ? html`<input
              class="number-field"
              type="number"
              min="1"
              step="1"
              aria-label="Weights per group"
              .value=${String(this.value || '')}
              @change=${this.onNumber}
            />`
          : nothing
      }`;
  }

  private onChoice(event: Event): void {
    const value = dropdownValue(event);
    this.custom = value === 'custom';
    if (!this.custom) this.choose(Number(value));
    else void this.updateComplete.then(() => this.querySelector('input')?.focus());
  }

  private onNumber(event: Event): void {
    const input = event.target as HTMLInputElement;
    const size = Math.floor(input.valueAsNumber);
    if (size >= 1) this.choose(size);
    else input.value = String(this.value || '');
  }

  private choose(size: number): void {
    if (size !== this.value) this.emit('group-size-changed', size);
  }
}
