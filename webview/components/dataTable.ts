import type { TemplateResult } from 'lit';
import { html } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { LightElement } from './lightElement.js';

/** The data behind a chart, as text. The first column names the rows. */
export interface TableData {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A plain table that scrolls within itself; the first column heads its rows. */
@customElement('qs-data-table')
export class DataTable extends LightElement {
  @property() caption = '';
  @property({ attribute: false }) data: TableData = { columns: [], rows: [] };

  override render(): TemplateResult {
    const { columns, rows } = this.data;
    return html`<div class="data-table" tabindex="0" role="region" aria-label=${this.caption}>
      <table>
        <caption class="visually-hidden">
          ${this.caption}
        </caption>
        <thead>
          <tr>
            ${columns.map((column) => html`<th scope="col">${column}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            ([head, ...cells]) =>
              html`<tr>
                <th scope="row">${head}</th>
                ${cells.map((cell) => html`<td>${cell}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }
}
