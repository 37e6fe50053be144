import { detachModel, type OpenedModel } from '../../checkpoint/types.js';
import type { Host } from '../../host/host.js';
import type { CallOptions } from '../../rpc/rpc.js';
import type { RatesByMachine } from '../backends/measuredRates.js';
import type {
  MeasuredOutputs,
  MeasuredPerplexity,
  MeasurementRequest,
  OutputsRequest,
} from './measurement.js';
import type { PerplexityThreadApi, PerplexityThreadStart } from './threadApi.js';

export interface MeasureInThreadOptions extends CallOptions {
  /** Hears, at the end, in sentences what was chosen to run the model. */
  readonly log?: (line: string) => void;
  /** Hears what machines do in a second, what was measured for this measurement included. */
  readonly onRates?: (rates: RatesByMachine) => void;
}

/**
 * Measures perplexities in a thread of its own, for hosts that live on: nothing of it runs in the
 * caller's thread, and a model's memory, which cannot shrink while it is known to a living thread, is
 * free when this returns.
 * @param model on the local disk
 */
export async function measureInThread(
  host: Host,
  start: PerplexityThreadStart,
  model: OpenedModel,
  request: MeasurementRequest,
  { log, onRates, ...options }: MeasureInThreadOptions = {},
): Promise<MeasuredPerplexity> {
  const thread = host.startThread<PerplexityThreadApi>('perplexityWorker.js', start, {
    description: 'The perplexity thread',
    transfer: start.gpuPort && [start.gpuPort],
  });
  try {
    const call = thread.remote.measureFormats({ model: detachModel(model), request }, options);
    const { measured, log: lines } = await thread.whileAlive(call);
    if (log) lines.forEach(log);
    onRates?.(await thread.whileAlive(thread.remote.rates(null)));
    return measured;
  } finally {
    await thread.terminate();
  }
}

/**
 * Calibrates a model and looks at the outputs of its linear maps, in a thread of its own as
 * {@link measureInThread} does.
 * @param model on the local disk
 */
export async function measureOutputsInThread(
  host: Host,
  start: Pick<PerplexityThreadStart, 'threads'>,
  model: OpenedModel,
  request: OutputsRequest,
  options: CallOptions = {},
): Promise<MeasuredOutputs> {
  const thread = host.startThread<PerplexityThreadApi>('perplexityWorker.js', start, {
    description: 'The calibration thread',
  });
  try {
    const call = thread.remote.measureOutputs({ model: detachModel(model), request }, options);
    return await thread.whileAlive(call);
  } finally {
    await thread.terminate();
  }
}
