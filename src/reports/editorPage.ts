import type { CheckpointReport } from './reports.js';
import type { GroupRanges, Histogram, TensorStatistics } from '../metrics/types.js';

/** What the page of a safetensors editor starts from. */
export interface EditorState {
  readonly checkpoint: CheckpointReport;
  /** Group size last used, for the group-range view. */
  readonly groupSize: number;
}

export interface TensorDetails {
  readonly statistics: TensorStatistics;
  readonly histogram: Histogram;
}

export interface GroupRangesRequest {
  readonly tensor: string;
  /** Columns per group; 0 for whole rows. */
  readonly groupSize: number;
  /** Groups to show; the whole tensor where absent. */
  readonly firstGroup?: number;
  readonly shownGroups?: number;
  /** At most this many columns come back. */
  readonly maxColumns: number;
}

/** Methods the extension host offers to the page of a safetensors editor. */
export interface EditorHostApi {
  /** The page is up: what to show. Rejects with one clear message when the file cannot be read. */
  open(argument: null): Promise<EditorState>;
  /** Reads all weights of a tensor; reports progress and can be cancelled. */
  tensorDetails(argument: {
    readonly tensor: string;
    readonly bins: number;
  }): Promise<TensorDetails>;
  groupRanges(argument: GroupRangesRequest): Promise<GroupRanges>;
  /** Starts "Quantize Layer…" for these tensors (asks for formats first). */
  quantizeLayer(argument: {
    readonly tensors: readonly string[];
    readonly label: string;
  }): Promise<void>;
  copyText(argument: { readonly text: string }): Promise<void>;
  /** Remembers the group size chosen in the page. */
  setGroupSize(argument: { readonly groupSize: number }): Promise<void>;
  /** Reads the file anew after it changed on disk. */
  reload(argument: null): Promise<EditorState>;
}

/** Methods the page offers to the extension host. */
export interface EditorPageApi {
  /** Selects and scrolls to a tensor. */
  revealTensor(argument: { readonly tensor: string }): void;
  /** The file changed on disk; the page offers to reload. */
  fileChanged(argument: null): void;
}
