import type { Checked } from '../rpc/schema.js';
import type { CheckReport } from './checkReport.js';
import type { editorArguments } from './pageArguments.js';
import type { CheckpointReport } from './reports.js';
import type { GroupRanges, Histogram, TensorStatistics } from '../metrics/types.js';

/** What the page of a safetensors editor starts from. */
export interface EditorState {
  readonly checkpoint: CheckpointReport;
  /** Group size last used, for the group-range view. */
  readonly groupSize: number;
  /** True where a check of these files is through or under way: asking for it reads nothing anew. */
  readonly isChecked: boolean;
}

export interface TensorDetails {
  readonly statistics: TensorStatistics;
  readonly histogram: Histogram;
}

/** What a method of the extension host is called with: what its schema lets through. */
type Argument<Name extends keyof typeof editorArguments> = Checked<(typeof editorArguments)[Name]>;

export type GroupRangesRequest = Argument<'groupRanges'>;

/** Methods the extension host offers to the page of a safetensors editor. */
export interface EditorHostApi {
  /** The page is up: what to show. Rejects with one clear message when the file cannot be read. */
  open(argument: Argument<'open'>): Promise<EditorState>;
  /** Reads all weights of a tensor; reports progress and can be cancelled. */
  tensorDetails(argument: Argument<'tensorDetails'>): Promise<TensorDetails>;
  groupRanges(argument: Argument<'groupRanges'>): Promise<GroupRanges>;
  /** Starts "Quantize Layer…" for these tensors (asks for formats first). */
  quantizeLayer(argument: Argument<'quantizeLayer'>): Promise<void>;
  copyText(argument: Argument<'copyText'>): Promise<void>;
  /** Remembers the group size chosen in the page. */
  setGroupSize(argument: Argument<'setGroupSize'>): Promise<void>;
  /** Shows the model of which the file is one shard. */
  openWholeModel(argument: Argument<'openWholeModel'>): Promise<void>;
  /** Reads the file anew after it changed on disk. */
  reload(argument: Argument<'reload'>): Promise<EditorState>;
  /**
   * Reads all weights and looks for what is known to go wrong with checkpoints, reporting progress. Goes on when
   * the page is gone, and is joined by those who ask meanwhile; only `cancelCheck` ends it.
   */
  checkIntegrity(argument: Argument<'checkIntegrity'>): Promise<CheckReport>;
  cancelCheck(argument: Argument<'cancelCheck'>): Promise<void>;
  /** Puts the findings on the clipboard as CSV. */
  copyFindings(argument: Argument<'copyFindings'>): Promise<void>;
  /** Saves the findings: the same text as `inspect --check --json`. */
  saveFindings(argument: Argument<'saveFindings'>): Promise<void>;
}

/** Methods the page offers to the extension host. */
export interface EditorPageApi {
  /** Selects and scrolls to a tensor. */
  revealTensor(argument: { readonly tensor: string }): void;
  /** The file changed on disk; the page offers to reload. */
  fileChanged(argument: null): void;
  /** Checks the model, or shows the check that there is. */
  checkIntegrity(argument: null): void;
}
