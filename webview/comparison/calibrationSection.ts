import type { PropertyValues, TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { ChartContent } from '../components/chartFrame.js';
import '../components/chartFrame.js';
import { renderDropdown } from '../components/controls.js';
import { LightElement } from '../components/lightElement.js';
import { shortestTails, visibleName } from '../components/names.js';
import { countOf, formatFixed, formatInteger, formatPrecision } from '../components/numbers.js';
import type {
  CalibrationFinding,
  ComparisonReport,
  FormatComparison,
} from '../components/protocolTypes.js';
import { lossContent, rangesContent } from './calibrationFigures.js';

/** What of calibrations is shown; kept with the page's state. */
export interface CalibrationView {
  /** Canonical name; the first calibrated format where absent or gone. */
  readonly format?: string;
  /** Index of a finding. */
  readonly finding: number;
  /** Names of charts that are shown as tables. */
  readonly asTable: readonly string[];
}

export const DEFAULT_CALIBRATION_VIEW: CalibrationView = { finding: 0, asTable: [] };

/** What the numbers of findings are called. */
const VALUE_LABELS: Readonly<Record<string, string>> = {
  loss: 'loss',
  damping: 'damping',
  alpha: 'α',
  ratio: 'ratio',
  smallestFactor: 'smallest factor',
  largestFactor: 'largest factor',
  kept: 'weights kept in F16',
  gradientShare: 'their share of Σ gradient²',
  rounds: 'rounds',
  meanAbsErrorBefore: 'mean |error| before',
  meanAbsError: 'mean |error|',
  weightedError: 'weighted error',
  weightedErrorWithout: 'weighted error without',
};

/** Numbers that charts show, or that only say how to read these. */
const CHARTED = ['lossByInput', 'inputsPerBin'];

interface NamedChart {
  readonly name: string;
  readonly note: string;
  readonly content: ChartContent;
}

type Calibrated = FormatComparison & Required<Pick<FormatComparison, 'calibration'>>;

/** True where a report has something for the section to show. */
export function hasFindings(format: FormatComparison): format is Calibrated {
  return (format.calibration?.findings.length ?? 0) > 0;
}

/** What methods chose, format by format and layer by layer. Sends `calibration-view-changed` and `chart-png`. */
@customElement('qs-calibration-section')
export class CalibrationSection extends LightElement {
  @property({ attribute: false }) report!: ComparisonReport;
  @property({ attribute: false }) view = DEFAULT_CALIBRATION_VIEW;

  private format?: Calibrated;
  private findings: readonly CalibrationFinding[] = [];
  private labels: readonly string[] = [];
  private finding?: CalibrationFinding;
  private charts: readonly NamedChart[] = [];

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has('report') && !changed.has('view')) return;
    const calibrated = this.report.formats.filter(hasFindings);
    this.format = calibrated.find(({ id }) => id === this.view.format) ?? calibrated[0];
    this.findings = this.format?.calibration.findings ?? [];
    this.labels = this.findings.map((finding) => labelOf(finding, this.format!));
    const finding = this.findings[this.view.finding] ?? this.findings[0];
    // The same charts for the same finding, so that they are not drawn anew.
    if (finding !== this.finding) this.charts = chartsOf(finding);
    this.finding = finding;
  }

  override render(): TemplateResult | typeof nothing {
    const { format, finding } = this;
    if (!format || !finding) return nothing;
    const calibrated = this.report.formats.filter(hasFindings);
    const index = this.findings.indexOf(finding);
    return html`<section class="calibration" aria-label="What calibration chose">
      <div class="section-head">
        <h3>What calibration chose</h3>
        <span class="note">${textOf(format.calibration)}</span>
        <span class="spacer"></span>
        ${renderDropdown(
          'calibrated-format',
          'Format',
          format.id,
          calibrated.map(({ id, label }) => [id, label]),
          (value) => this.change({ format: value, finding: 0 }),
        )}
        ${renderDropdown(
          'calibrated-layer',
          'Layer',
          String(index),
          this.labels.map((label, i) => [String(i), label]),
          (value) => this.change({ finding: Number(value) }),
        )}
      </div>
      <p class="calibration-values" data-testid="calibration-values">
        ${valuesOf(finding).map(
          ([label, value]) => html`<span><span class="note">${label}</span> ${value}</span>`,
        )}
      </p>
      ${(finding.notes ?? []).map((note) => html`<p class="note">${visibleName(note)}</p>`)}
      <div class="calibration-charts">
        ${this.charts.map(
          ({ name, note, content }) =>
            html`<qs-chart-frame
              heading=${name}
              note=${note}
              .content=${content}
              .asTable=${this.view.asTable.includes(name)}
              savable
              hint="Hover or use the arrow keys to read a bin."
              @table-toggled=${() => this.toggle(name)}
            ></qs-chart-frame>`,
        )}
      </div>
    </section>`;
  }

  private toggle(name: string): void {
    const asTable = new Set(this.view.asTable);
    if (!asTable.delete(name)) asTable.add(name);
    this.change({ asTable: [...asTable] });
  }

  private change(part: Partial<CalibrationView>): void {
    this.emit('calibration-view-changed', part);
  }
}

/** "64 windows of 256 tokens of calibration.txt · 12 s". */
function textOf({ text, windows, context, seconds }: Calibrated['calibration']): string {
  const file =
    text === undefined
      ? ''
      : text.slice(Math.max(text.lastIndexOf('/'), text.lastIndexOf('\\')) + 1);
  const seen =
    windows > 0
      ? `${countOf(windows, 'window')} of ${formatInteger(context)} tokens of ${visibleName(file)}`
      : 'no text needed';
  return `${seen} · ${formatFixed(seconds, seconds < 10 ? 1 : 0)} s`;
}

/** "layers.1: gate_proj, up_proj", of the tensors that a finding is about. */
function labelOf({ tensors, block }: CalibrationFinding, format: FormatComparison): string {
  const known = format.tensors.filter(({ name }) => tensors.includes(name));
  if (known.length !== tensors.length || known.length === 0) {
    return visibleName(tensors.join(', ') || `block ${block}`);
  }
  const names = shortestTails(known.map(({ nameInLayer, name }) => nameInLayer || name));
  const short = names.map((name) => name.replace(/\.weight$/, '')).join(', ');
  return visibleName([known[0].layer, short].filter(Boolean).join(': '));
}

function valuesOf({ values }: CalibrationFinding): (readonly [label: string, value: string])[] {
  return Object.entries(values).flatMap(([name, value]) => {
    if (CHARTED.includes(name) || typeof value === 'object') return [];
    const text = typeof value === 'number' ? formatPrecision(value, 4) : visibleName(value);
    return [[VALUE_LABELS[name] ?? name, text] as const];
  });
}

function chartsOf({ ranges, values }: CalibrationFinding): NamedChart[] {
  const charts: NamedChart[] = [];
  const note = 'how many inputs; dotted: before, line: after';
  if (ranges) {
    charts.push(
      {
        name: 'Range of inputs',
        note,
        content: rangesContent(ranges.inputs, 'Largest magnitudes of inputs'),
      },
      {
        name: 'Range of weights',
        note,
        content: rangesContent(ranges.weights, 'Largest weights of inputs'),
      },
    );
  }
  const { lossByInput, inputsPerBin } = values;
  if (typeof lossByInput === 'object') {
    const content = lossContent(lossByInput, Number(inputsPerBin ?? 1));
    charts.push({ name: 'Loss by input', note: 'squared error of outputs, a token', content });
  }
  return charts;
}
