import type { TemplateResult } from 'lit';
import { html } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { errorIcon, infoIcon, warningIcon } from './icons.js';
import { LightElement } from './lightElement.js';

/** Something to do about a message. */
export interface MessageAction {
  readonly label: string;
  run(): void;
}

const ICONS = { info: infoIcon, warning: warningIcon, error: errorIcon } as const;

/** One message with what can be done about it. Errors are spoken at once, the rest politely. */
@customElement('qs-message-bar')
export class MessageBar extends LightElement {
  @property() kind: keyof typeof ICONS = 'info';
  /** Shown as text, whatever it contains. */
  @property() text = '';
  @property({ attribute: false }) actions: readonly MessageAction[] = [];

  override render(): TemplateResult {
    return html`<div
      class="message ${this.kind}"
      role=${this.kind === 'error' ? 'alert' : 'status'}
    >
      ${ICONS[this.kind]}
      <span class="message-text">${this.text}</span>
      ${this.actions.map(
        (action) =>
          html`<button class="link" @click=${() => action.run()}>${action.label}</button>`,
      )}
    </div>`;
  }
}
