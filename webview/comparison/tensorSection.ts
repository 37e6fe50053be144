import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { TABLE_MEASURES, withOutputMeasures } from '../../src/metrics/measures.js';
import { renderDropdown } from '../components/controls.js';
import type { ComparisonReport } from '../components/protocolTypes.js';
import '../components/segmented.js';
import './comparisonGrid.js';
import type { GridRow } from './gridModel.js';
import type { GridMeasure } from './measures.js';
import { ALONE_MEASURES, MEASURES, isAloneMeasure, type AloneMeasure } from './measures.js';
import type { Sorting } from './sorting.js';

/** How the table by tensor is shown; kept with the page's state. */
export interface GridView {
  readonly gridMeasure: GridMeasure;
  readonly gridSorting?: Sorting;
  readonly gridFlat: boolean;
  readonly expanded: readonly string[];
  /** Canonical name, "" for none; the first format where absent. */
  readonly reference?: string;
}

/** What the table by tensor leads to. */
export interface GridActions {
  change(view: Partial<GridView>): void;
  toggle(layer: string): void;
  /** Opens a tensor in its file's editor; absent where there is none. */
  readonly reveal?: (tensor: string) => void;
}

const ALONE_LABELS: Readonly<Record<AloneMeasure, string>> = {
  klDivergence: 'KL divergence alone',
  topTokenAgreement: 'same top token alone',
  perplexityDelta: 'perplexity delta',
};

/** Every tensor in every format, with what chooses measure, reference and rows. */
export function renderTensors(
  report: ComparisonReport,
  root: GridRow,
  view: GridView,
  expanded: ReadonlySet<string>,
  actions: GridActions,
): TemplateResult {
  const { gridFlat, gridSorting } = view;
  const measures = gridMeasures(report);
  const { gridMeasure } = measures.includes(view.gridMeasure) ? view : { gridMeasure: measures[0] };
  const reference = referenceIn(report, view);
  return html`<section class="tensors" aria-label="By tensor">
    <div class="section-head">
      <h3>By tensor</h3>
      <span class="spacer"></span>
      ${renderDropdown(
        'grid-measure',
        'Measure',
        gridMeasure,
        measures.map((id) => [id, isAloneMeasure(id) ? ALONE_LABELS[id] : MEASURES[id].label]),
        (value) => actions.change({ gridMeasure: value as GridMeasure }),
      )}
      ${
        // A delta is a difference already.
        gridMeasure === 'perplexityDelta'
          ? nothing
          : renderDropdown(
              'grid-reference',
              'Compare with',
              reference,
              [['', 'none'], ...report.formats.map(({ id, label }) => [id, label] as const)],
              (value) => actions.change({ reference: value }),
            )
      }
      <qs-segmented
        label="Rows"
        .value=${gridFlat ? 'tensors' : 'layers'}
        .options=${[
          { value: 'layers', label: 'by layer' },
          { value: 'tensors', label: 'all tensors' },
        ]}
        @choice-changed=${(event: CustomEvent<string>) =>
          actions.change({ gridFlat: event.detail === 'tensors' })}
      ></qs-segmented>
    </div>
    <qs-comparison-grid
      .report=${report}
      .root=${root}
      .measure=${gridMeasure}
      .reference=${reference}
      .flat=${gridFlat}
      ?opensTensors=${actions.reveal !== undefined}
      .sorting=${gridSorting}
      .expanded=${expanded}
      @layer-toggled=${(event: CustomEvent<string>) => actions.toggle(event.detail)}
      @sorting-changed=${(event: CustomEvent<Sorting | undefined>) =>
        actions.change({ gridSorting: event.detail })}
      @tensor-revealed=${(event: CustomEvent<string>) => actions.reveal?.(event.detail)}
    ></qs-comparison-grid>
  </section>`;
}

function referenceIn({ formats }: ComparisonReport, { reference }: GridView): string {
  if (reference === '' || formats.some(({ id }) => id === reference)) return reference ?? '';
  return formats[0]?.id ?? '';
}

/** What the model makes of single tensors where these were run one by one, too. */
function gridMeasures({ formats, outputErrorText }: ComparisonReport): readonly GridMeasure[] {
  const alone = formats.some(({ tensors }) =>
    tensors.some(({ perplexityAlone }) => perplexityAlone),
  );
  const measures = withOutputMeasures(TABLE_MEASURES, outputErrorText !== undefined);
  return alone ? [...measures, ...ALONE_MEASURES] : measures;
}
