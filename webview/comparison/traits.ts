import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { renderDropdown } from '../components/controls.js';
import type { ComparisonReport, FormatComparison } from '../components/protocolTypes.js';

/** What formats have in common or not, beside their numbers. */
const TRAITS = {
  numberFormat: { label: 'number format', none: undefined, spoken: undefined },
  method: { label: 'method', none: 'nearest', spoken: 'rounded to nearest' },
  activations: { label: 'activations', none: 'as they are', spoken: 'activations as they are' },
} as const;
/** What rows can be filtered and put together by. */
export type Trait = keyof typeof TRAITS;
/** Those that have a column. */
const COLUMNS = ['method', 'activations'] as const satisfies readonly Trait[];
export type TraitColumn = (typeof COLUMNS)[number];

export function isTrait(column: string): column is TraitColumn {
  return (COLUMNS as readonly string[]).includes(column);
}

/** What heads a trait's column. */
export function traitLabel(trait: Trait): string {
  return TRAITS[trait].label;
}

/** What a format has of a trait, in words. */
export function traitOf(result: FormatComparison, trait: Trait): string {
  return result[trait] ?? TRAITS[trait].none ?? result.label;
}

/** Columns of the traits in which some formats are not just rounded to nearest. */
export function traitColumns(results: readonly FormatComparison[]): readonly TraitColumn[] {
  return COLUMNS.filter((trait) => results.some((result) => result[trait] !== undefined));
}

/** What of a report is shown, and how it is put together; kept with the page's state. */
export interface TraitView {
  /** By trait, what formats must have; absent: anything. */
  readonly only: Partial<Readonly<Record<Trait, string>>>;
  readonly groupedBy?: Trait;
}

export const EVERYTHING: TraitView = { only: {} };

/** True where a format is shown. */
function isShown(result: FormatComparison, { only }: TraitView): boolean {
  return (Object.keys(only) as Trait[]).every((trait) => traitOf(result, trait) === only[trait]);
}

/** A view without conditions that no format of a report meets. */
export function possibleView({ formats }: ComparisonReport, view: TraitView): TraitView {
  return formats.some((result) => isShown(result, view)) ? view : { ...view, only: {} };
}

/** A report of the formats that are shown; the very report where all are. */
export function shownReport(report: ComparisonReport, view: TraitView): ComparisonReport {
  const formats = report.formats.filter((result) => isShown(result, view));
  return formats.length === report.formats.length ? report : { ...report, formats };
}

/** Says which formats are shown and how they are put together; nothing where they differ in no trait. */
export function renderTraitControls(
  { formats }: ComparisonReport,
  view: TraitView,
  change: (view: TraitView) => void,
): TemplateResult | typeof nothing {
  if (traitColumns(formats).length === 0) return nothing;
  const traits: readonly Trait[] = ['numberFormat', ...COLUMNS];
  const filters = traits.flatMap((trait) => {
    const values = [...new Set(formats.map((result) => traitOf(result, trait)))];
    return values.length < 2 ? [] : [{ trait, values }];
  });
  return html`<div class="trait-controls" role="group" aria-label="Formats shown">
    ${filters.map(({ trait, values }) =>
      renderDropdown(
        `only-${trait}`,
        traitLabel(trait),
        view.only[trait] ?? '',
        [['', 'all'], ...values.map((value) => [value, value] as const)],
        (value) => {
          const others = Object.entries(view.only).filter(([other]) => other !== trait);
          const only = value === '' ? others : [...others, [trait, value]];
          change({ ...view, only: Object.fromEntries(only) as TraitView['only'] });
        },
      ),
    )}
    ${renderDropdown(
      'grouped-by',
      'group by',
      view.groupedBy ?? '',
      [['', 'nothing'], ...filters.map(({ trait }) => [trait, traitLabel(trait)] as const)],
      (value) => change({ ...view, groupedBy: value === '' ? undefined : (value as Trait) }),
    )}
  </div>`;
}

/** The cell of a trait in the row of a format; `row` and `column` are its place in the table. */
export function renderTraitCell(cell: {
  readonly trait: TraitColumn;
  readonly result: FormatComparison | undefined;
  readonly running: boolean;
  readonly row: number;
  readonly column: number;
  readonly tabIndex: 0 | -1;
}): TemplateResult {
  const { trait, result, row, column } = cell;
  const { label, spoken } = TRAITS[trait];
  const isPlain = result !== undefined && result[trait] === undefined;
  const text = result ? traitOf(result, trait) : cell.running ? 'waiting' : '';
  return html`<td
    role="gridcell"
    class="trait ${isPlain || !result ? 'note' : ''}"
    data-cell="${row}:${column}"
    data-trait=${trait}
    aria-label=${isPlain ? spoken : `${label} ${text}`}
    tabindex=${cell.tabIndex}
  >
    ${text}
  </td>`;
}
