import type { ScaleDtype } from '../formats/types.js';
import type { MeasuredPerplexity, PerplexitySettings } from '../jobs/formatPerplexity.js';
import type { PerplexityRequest } from '../jobs/perplexity.js';
import type { PerplexityReport } from '../jobs/reports.js';
import type { Checkpoint } from '../safetensors/types.js';

type Settings<Of> = Omit<Of, 'warn' | 'assetsFolder'>;

export interface MeasureFormatsRequest {
  readonly checkpoint: Checkpoint;
  /** Format names. */
  readonly formats: readonly string[];
  /** Exact names; absent: all linear weights. */
  readonly tensors?: readonly string[];
  readonly scaleDtype: ScaleDtype;
  /** Also each tensor alone. */
  readonly perLayer: boolean;
  readonly settings: Settings<PerplexitySettings>;
}

/** What the thread of a perplexity measurement does. */
export interface PerplexityThreadApi {
  measureFormats(request: MeasureFormatsRequest): Promise<MeasuredPerplexity>;
  measurePerplexity(request: {
    readonly checkpoint: Checkpoint;
    readonly request: Settings<PerplexityRequest>;
  }): Promise<PerplexityReport>;
}

/** What the thread is started with. */
export interface PerplexityThreadStart {
  /** Compute threads; default: the machine's cores. */
  readonly threads?: number;
  /** Folder of the bundle. */
  readonly assetsFolder: string;
}
