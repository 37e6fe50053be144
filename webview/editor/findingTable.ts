import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { ShownFinding } from '../../src/reports/checkReport.js';
import type { GridHost } from '../components/gridFocus.js';
import { GridFocus } from '../components/gridFocus.js';
import { errorIcon, infoIcon, warningIcon } from '../components/icons.js';
import { LightElement } from '../components/lightElement.js';
import { visibleName } from '../components/names.js';
import { countOf } from '../components/numbers.js';
import { SEVERITY } from './findingText.js';
import type { TreeItem } from './treeModel.js';

/** Rows shown at once; of each kind of fault the host sends up to a hundred. */
const PAGE = 200;

const ICONS = { error: errorIcon, warning: warningIcon, info: infoIcon } as const;
const COLUMNS = ['Severity', 'Finding', 'Tensor', 'What is wrong'] as const;
const TENSOR = 2;

/** A row a finding. Sends `item-selected` ({@link TreeItem}) for the tensor of a row. */
@customElement('qs-finding-table')
export class FindingTable extends LightElement implements GridHost {
  @property({ attribute: false }) findings: readonly ShownFinding[] = [];
  /** Whether the list of tensors has one of this name. */
  @property({ attribute: false }) isListed: (name: string) => boolean = () => false;
  @state() private shown = PAGE;
  private readonly focused = new GridFocus(this);

  gridSize(): { rows: number; columns: number } {
    const rows = Math.min(this.findings.length, this.shown);
    return { rows: Math.max(1, rows), columns: COLUMNS.length };
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (changed.has('findings')) this.shown = PAGE;
  }

  override render(): TemplateResult {
    const { findings, shown } = this;
    return html`<table
        class="finding-table"
        role="grid"
        aria-label="Findings"
        aria-rowcount=${findings.length + 1}
        @keydown=${(event: KeyboardEvent) => this.onKeyDown(event)}
      >
        <thead>
          <tr>
            ${COLUMNS.map((name) => html`<th scope="col" role="columnheader">${name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${findings.slice(0, shown).map((finding, row) => this.renderRow(finding, row))}
        </tbody>
      </table>
      ${
        findings.length > shown
          ? html`<button class="link" @click=${() => (this.shown += PAGE)}>
              Show more of ${countOf(findings.length, 'finding')}
            </button>`
          : nothing
      }`;
  }

  private renderRow(finding: ShownFinding, row: number): TemplateResult {
    const { severity, id, source, message } = finding;
    const cell = (column: number, content: unknown, className = ''): TemplateResult =>
      html`<td
        role="gridcell"
        class=${className}
        data-cell="${row}:${column}"
        tabindex=${this.focused.tabIndex(row, column)}
      >
        ${content}
      </td>`;
    return html`<tr
      role="row"
      data-severity=${severity}
      data-finding=${id}
      aria-rowindex=${row + 2}
    >
      ${cell(0, html`<span class="severity ${severity}">${ICONS[severity]}</span>${SEVERITY[severity]}`, 'severity-cell')}
      <td role="gridcell">
        <a
          href=${source}
          title="A public report of such a fault: ${source}"
          data-cell="${row}:1"
          tabindex=${this.focused.tabIndex(row, 1)}
          >${id}</a
        >
      </td>
      ${this.renderTensor(finding, row)}
      ${cell(3, html`<bdi>${visibleName(message)}</bdi>`, 'finding-message')}
    </tr>`;
  }

  /** The tensor, as a way to it where the list has it, or else the file. */
  private renderTensor({ tensor, file, listedAs }: ShownFinding, row: number): TemplateResult {
    const tabindex = this.focused.tabIndex(row, TENSOR);
    const name = html`<bdi>${visibleName(tensor ?? file)}</bdi>`;
    if (listedAs === undefined || !this.isListed(listedAs)) {
      return html`<td role="gridcell" data-cell="${row}:${TENSOR}" tabindex=${tabindex}>
        ${name}
      </td>`;
    }
    return html`<td role="gridcell">
      <button
        class="link finding-tensor"
        title="Show ${visibleName(listedAs)}"
        data-cell="${row}:${TENSOR}"
        tabindex=${tabindex}
        @click=${() => this.reveal(row)}
      >
        ${name}
      </button>
    </td>`;
  }

  private reveal(row: number): void {
    const name = this.findings[row]?.listedAs;
    if (name === undefined || !this.isListed(name)) return;
    this.emit<TreeItem>('item-selected', { kind: 'tensor', name });
  }

  /** Enter on a cell shows the row's tensor; a link and a button have a meaning of their own. */
  private onKeyDown(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (event.key !== 'Enter' || target.tagName !== 'TD') return;
    event.preventDefault();
    this.reveal(Number(target.dataset.cell?.split(':')[0]));
  }
}
