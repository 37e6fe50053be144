import type { OpenedModelData } from '../../checkpoint/types.js';
import type { MeasuredPerplexity, MeasurementRequest } from './measurement.js';

/** What the thread of a perplexity measurement does. */
export interface PerplexityThreadApi {
  /** The model's files lie on the local disk. */
  measureFormats(argument: {
    readonly model: OpenedModelData;
    readonly request: MeasurementRequest;
  }): Promise<MeasuredPerplexity>;
}

/** What the thread is started with. */
export interface PerplexityThreadStart {
  /** Compute threads; default: as many as the machine runs at once. */
  readonly threads?: number;
}
