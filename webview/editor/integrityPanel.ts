import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { CheckReport } from '../../src/reports/checkReport.js';
import type { EditorHostApi } from '../../src/reports/editorPage.js';
import type { Connection } from '../../src/rpc/rpc.js';
import { checkIcon, closeIcon } from '../components/icons.js';
import { LightElement } from '../components/lightElement.js';
import { LongRead } from '../components/longRead.js';
import '../components/messageBar.js';
import { visibleName } from '../components/names.js';
import './findingTable.js';
import { checkedText, countText } from './findingText.js';

/**
 * What is wrong with the checkpoint: the check under way, or its findings. Sends `integrity-closed`, and
 * `item-selected` for the tensor of a finding.
 */
@customElement('qs-integrity-panel')
export class IntegrityPanel extends LightElement {
  @property({ attribute: false }) connection!: Connection<EditorHostApi>;
  /** Whether the list of tensors has one of this name. */
  @property({ attribute: false }) isListed: (name: string) => boolean = () => false;
  private readonly check = new LongRead<CheckReport>(this);
  /** Why the findings could not be copied or saved. */
  @property({ attribute: false }) private problem = '';

  private get host(): Connection<EditorHostApi>['remote'] {
    return this.connection.remote;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    // The host begins a check only where there is none yet.
    void this.check.start((options) =>
      this.host.checkIntegrity(null, {
        ...options,
        onProgress: ({ message, ...progress }) =>
          options.onProgress?.({ ...progress, message: message && visibleName(message) }),
      }),
    );
  }

  /** Puts the keyboard here. */
  override focus(): void {
    this.querySelector<HTMLElement>('.integrity')?.focus();
  }

  override render(): TemplateResult {
    const report = this.check.value;
    const running = this.check.state.kind === 'running';
    return html`<section
      class="integrity"
      aria-label="Integrity"
      data-testid="integrity"
      tabindex="-1"
    >
      <div class="section-head">
        <h2>Integrity</h2>
        <span class="integrity-summary" role="status"
          >${report ? renderSummary(report) : nothing}</span
        >
        <span class="spacer"></span>
        ${report?.findings.length ? this.renderActions() : nothing}
        ${
          running
            ? nothing
            : html`<button
                class="tool"
                aria-label="Close the integrity list"
                title="Close the integrity list"
                @click=${() => this.emit('integrity-closed')}
              >
                ${closeIcon}
              </button>`
        }
      </div>
      ${
        this.problem
          ? html`<qs-message-bar kind="error" .text=${this.problem}></qs-message-bar>`
          : nothing
      }
      ${report ? this.renderFindings(report) : this.renderWaiting()}
    </section>`;
  }

  private renderActions(): TemplateResult {
    return html`<button class="link" @click=${() => this.attempt(this.host.copyFindings(null))}>
        Copy as CSV
      </button>
      <button class="link" @click=${() => this.attempt(this.host.saveFindings(null))}>
        Save JSON
      </button>`;
  }

  private renderWaiting(): TemplateResult {
    // The host ends the check itself: that a page goes does not.
    return html`<div @cancel-work=${() => void this.host.cancelCheck(null)}>
      ${this.check.renderWaiting('Reading all weights', (text) => void this.host.copyText({ text }))}
    </div>`;
  }

  private renderFindings({ findings, checked }: CheckReport): TemplateResult {
    return html`<p class="note integrity-checked">${checkedText(checked)}</p>
      ${
        findings.length > 0
          ? html`<div class="integrity-scroll">
              <qs-finding-table .findings=${findings} .isListed=${this.isListed}></qs-finding-table>
            </div>`
          : nothing
      }`;
  }

  private attempt(done: Promise<void>): void {
    this.problem = '';
    done.catch((error: unknown) => {
      this.problem = error instanceof Error ? error.message : String(error);
    });
  }
}

function renderSummary({ findings }: CheckReport): TemplateResult {
  return findings.length === 0
    ? html`${checkIcon}<span>Nothing was found.</span>`
    : html`<span>${countText(findings)}</span>`;
}
