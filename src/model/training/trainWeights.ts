import { throwIfCancelled, type CallOptions } from '../../rpc/rpc.js';
import { needsTensorRange } from '../../formats/index.js';
import { refuseGradients } from '../backward/plan.js';
import { Trainer } from './trainer.js';
import type { TrainedWeights, TrainingRequest } from './types.js';

/**
 * Trains the weights of a model's linear maps for a format (after BitDistiller, arXiv 2402.10631): the forward pass takes
 * them rounded, the way back takes rounding for the identity, and the loss is the confidence-aware divergence from the
 * unquantized model. Embeddings, norms and the head stay as they are. Weights of the least loss on the windows held back
 * are kept, those rounded to nearest among them.
 * @throws an Error of one sentence where model or format cannot be trained; an AbortError when cancelled
 */
export async function trainWeights(
  request: TrainingRequest,
  options: CallOptions = {},
): Promise<TrainedWeights> {
  const { model, format, settings } = request;
  const { signal, onProgress } = options;
  const refusal = refuseGradients(model.plan);
  if (refusal) throw new Error(refusal);
  if (needsTensorRange(format)) {
    throw new Error(`${format.id} has a scale of the whole tensor, which training does not know`);
  }
  const trainer = await Trainer.create(request, options);
  for (;;) {
    const { step } = trainer;
    throwIfCancelled(signal);
    if (trainer.isCheckDue) {
      const check = await trainer.check();
      await request.onState?.(trainer.state());
      const message = `step ${step} of ${settings.steps}, divergence ${check.loss.toFixed(4)}`;
      onProgress?.({ done: step, total: settings.steps, message });
    }
    if (step >= settings.steps) break;
    await trainer.advance();
    onProgress?.({ done: step + 1, total: settings.steps });
  }
  return trainer.finish();
}
