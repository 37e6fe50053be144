import type { OpenedModelData } from '../../checkpoint/types.js';
import type { ThreadPort } from '../../host/host.js';
import type { BackendChoice } from '../backends/backends.js';
import type { RatesByMachine } from '../backends/measuredRates.js';
import type {
  MeasuredOutputs,
  MeasuredPerplexity,
  MeasurementRequest,
  OutputsRequest,
} from './measurement.js';

/** What the thread of a perplexity measurement does. */
export interface PerplexityThreadApi {
  /** The model's files lie on the local disk. */
  measureFormats(argument: {
    readonly model: OpenedModelData;
    readonly request: MeasurementRequest;
  }): Promise<ThreadMeasurement>;
  /** The model's files lie on the local disk. */
  measureOutputs(argument: {
    readonly model: OpenedModelData;
    readonly request: OutputsRequest;
  }): Promise<MeasuredOutputs>;
  /** What machines do in a second, as far as the thread knows. */
  rates(argument: null): RatesByMachine;
}

export interface ThreadMeasurement {
  readonly measured: MeasuredPerplexity;
  /** Sentences about the choice of a backend and what became of it. */
  readonly log: readonly string[];
}

/** What the thread is started with. */
export interface PerplexityThreadStart {
  /** Compute threads; default: as many as the machine runs at once. */
  readonly threads?: number;
  /** What runs the model; default: the compute threads. */
  readonly backend?: BackendChoice;
  /** Folder of the npm package `webgpu`, whose GPU is tried first. */
  readonly webgpuPackage?: string;
  /** A GPU that is lent (`backends/node/lentGpu.ts`). */
  readonly gpuPort?: ThreadPort;
  /** What machines are known to do in a second: they are not measured again. */
  readonly rates?: RatesByMachine;
}
