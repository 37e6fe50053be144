import type { ScaleDtype } from '../formats/types.js';
import type { GpuPageApi, GpuPageHostApi } from './gpuPage.js';
import type { comparisonArguments } from './pageArguments.js';
import type { ComparisonReport } from './reports.js';
import type { Progress } from '../rpc/rpc.js';
import type { Checked } from '../rpc/schema.js';

/** Everything the comparison panel shows; the host holds it, the page draws it. */
export interface ComparisonState {
  /** Names the panel's stored request; the page keeps it in its own state, as `id`, so that the panel can be restored. */
  readonly id?: string;
  /** Model name for the title. */
  readonly modelName: string;
  /** What was quantized ("layers.3", "all linear weights"). */
  readonly scope: string;
  /** Formats asked for, canonical names. */
  readonly formats: readonly string[];
  readonly status: 'running' | 'done' | 'cancelled' | 'failed';
  /** What the run works at, or stopped at. */
  readonly phase?: 'weights' | 'calibration' | 'perplexity';
  /** True where the run measures perplexity, too. */
  readonly measuresPerplexity?: boolean;
  /** Type that scales are rounded to. */
  readonly scaleDtype?: ScaleDtype;
  /** Whether windows of the panel's next perplexity begin with BOS; absent: as the family needs it. */
  readonly bos?: BosChoice;
  readonly progress?: Progress;
  /** Estimated seconds left, after the first seconds of work. */
  readonly secondsLeft?: number;
  readonly error?: string;
  readonly report?: ComparisonReport;
  /** True in a file of its own: there is no model to do anything with. */
  readonly isDocument?: boolean;
}

/** What a method of the extension host is called with: what its schema lets through. */
type Argument<Name extends keyof typeof comparisonArguments> = Checked<
  (typeof comparisonArguments)[Name]
>;

/** A text that was dropped on the page: where it is, or, from outside of VS Code, what it holds. */
export type DroppedText = NonNullable<Argument<'measurePerplexity'>['text']>;

/** Whether windows begin with BOS, as asked for. */
export type BosChoice = Argument<'chooseBos'>['bos'];

/** Methods the extension host offers to the comparison page. */
export interface ComparisonHostApi extends GpuPageHostApi {
  open(argument: Argument<'open'>): Promise<ComparisonState>;
  cancel(argument: Argument<'cancel'>): Promise<void>;
  /** Starts "Measure Perplexity…" with the panel's formats: asks for what is not given here. */
  measurePerplexity(argument: Argument<'measurePerplexity'>): Promise<void>;
  /** Asks for more formats, and compares in these, too. */
  addFormats(argument: Argument<'addFormats'>): Promise<void>;
  /** Takes a format out of the comparison. */
  removeFormat(argument: Argument<'removeFormat'>): Promise<void>;
  /** Puts a format at another place among the formats. */
  moveFormat(argument: Argument<'moveFormat'>): Promise<void>;
  /** Says how windows begin in the panel's next measurement. */
  chooseBos(argument: Argument<'chooseBos'>): Promise<void>;
  /** Runs the same request again, after a cancelled or failed run. */
  runAgain(argument: Argument<'runAgain'>): Promise<void>;
  /** Puts the comparison on the clipboard as CSV: the same text as `compare --csv`. */
  copyCsv(argument: Argument<'copyCsv'>): Promise<void>;
  saveJson(argument: Argument<'saveJson'>): Promise<void>;
  /** Saves the comparison as one HTML file that opens from disk. */
  saveHtml(argument: Argument<'saveHtml'>): Promise<void>;
  copyText(argument: Argument<'copyText'>): Promise<void>;
  /** Saves a chart the page rendered. */
  savePng(argument: Argument<'savePng'>): Promise<void>;
  /** Opens the model's editor with this tensor selected. */
  revealTensor(argument: Argument<'revealTensor'>): Promise<void>;
}

/** Methods the comparison page offers to the extension host. */
export interface ComparisonPageApi extends GpuPageApi {
  update(argument: ComparisonState): void;
}
